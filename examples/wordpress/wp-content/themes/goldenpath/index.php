<?php
/** The one template: what there is, or a word that there is nothing. */

get_header();
if (have_posts()) {
    while (have_posts()) {
        the_post();
        the_title('<h2>', '</h2>');
        the_content();
    }
} else {
    echo '<p>', esc_html__('Nothing here yet.', 'goldenpath'), '</p>';
}
get_footer();
