<?php
/**
 * Plugin Name: Golden Path health
 * Description: Answers GET /healthz without a theme, for the cluster's probes.
 */

add_action('init', function () {
    if (parse_url($_SERVER['REQUEST_URI'] ?? '', PHP_URL_PATH) === '/healthz') {
        wp_send_json(['status' => 'ok']);
    }
});
