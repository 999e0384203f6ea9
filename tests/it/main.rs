//! What gp-deliver promises, a module a promise, kept by the real binary among real parts and the doubles of `crates/doubles`.
//!
//! All of it is one program, so that the libraries are compiled and linked once, and all tests run beside each other, as many
//! at a time as there are processors. So a test owns what it uses: its folders, its repository at GitHub, its world of AWS,
//! its registry or a name of its own in the shared one, and its image: an engine with a graph driver keeps equal images as one,
//! which goes when one of two deliveries that build it at the same moment takes its name away. So the commits of a source, which
//! images are labelled with, are no other source's. What can't be owned is taken in turns:
//!
//! - **act**: two runs of one workflow share containers by their names, in whatever clone of whatever machine's user. A lock
//!   on a file (`support::act::Act::run`) lets in one at a time.
//! - **documents**: with `GP_DELIVER_BLESS` set, tests write to the same documents. A lock in `support::document::holds` lets in one
//!   at a time.
//!
//! Nothing here changes this process's environment or folder, which all tests share: a program that needs another is started
//! with it. A process that must not outlive a test is told from those of other tests by an argument that no other has.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "a test fails by panicking"
)]

mod support;

mod a_build_takes_named_contexts;
mod a_change_can_not_excuse_itself;
mod a_change_delivers_what_it_touches;
mod a_change_is_shown_by_another_job;
mod a_check_run_shows_the_report;
mod a_cluster_is_brought_to_by_any_git_server;
mod a_cluster_is_brought_to_what_is_out;
mod a_folder_keeps_what_was_built;
mod a_folder_that_is_the_projects_is_left_alone;
mod a_github_app_writes_where_a_cluster_is_brought_to;
mod a_pull_secret_is_kept_in_a_cluster;
mod a_quick_syft_says_what_syft_says;
mod a_release_names_what_it_runs;
mod a_repository_is_brought_to_what_is_wanted;
mod a_service_has_lists_of_its_own;
mod act_runs_the_image;
mod amazon_says_what_it_knows_of_an_image;
mod amazons_own_scan_is_a_gate;
mod an_earlier_delivery_is_set_back;
mod an_image_is_dated_by_its_commit;
mod an_image_is_what_another_builder_has_come_to;
mod an_old_database_judges_nothing;
mod aws_faults;
mod aws_says_no;
mod base_images_of_ecr;
mod build;
mod build_checks_are_told_at_their_lines;
mod builder_state_has_an_owner;
mod changes_that_are_in_no_commit_are_seen;
mod databases_of_ecr;
mod delivery;
mod docker_clients_settings_hold;
mod docs;
mod documents_have_one_reading;
mod each_platform_has_its_builder;
mod environments;
mod every_byte_is_looked_at_for_secrets;
mod every_event_is_taken_by_its_kind;
mod failures;
mod faults;
mod figures;
mod figures_are_put_in_cloudwatch;
mod git_starts_no_program_of_the_repository;
mod history_that_was_cleared_is_not_read_again;
mod hostile_words_give_no_orders;
mod keyless_delivery;
mod known_layers_are_taken_as_they_are;
mod lifecycle_policies_are_looked_at_before_they_act;
mod no_report_passes_for_anothers;
mod no_secret_leaves;
mod not_judged_is_not_clean;
mod nothing_dies_without_a_report;
mod one_commit_is_built_once;
mod platforms_are_assembled_by_proof;
mod private_base;
mod registry_login;
mod registry_publish;
mod registry_strangers;
mod reports_are_valid;
mod scanners_are_shut_in;
mod scanners_take_turns;
mod tags_have_an_order;
mod the_build_and_push_script_goes_on_working;
mod the_cache_of_github_actions_is_used;
mod the_doctor_looks_at_the_ground_rules;
mod the_examples_are_delivered;
mod the_fleet_of_the_manifests_is_the_one_that_is_named;
mod the_image_runs_as_the_runner_runs_it;
mod the_images_of_a_repository_are_listed;
mod the_manifests_to_copy_fit_their_definitions;
mod the_policies_for_a_cluster_fit_its_definitions;
mod the_report_is_kept;
mod the_security_tab_shows_what_was_found;
mod the_terraform_module_is_as_gp_deliver_says;
mod the_thin_caller_delivers;
mod what_an_image_says_of_itself_is_no_evidence;
mod what_an_image_was_built_from_is_known;
mod what_became_known_is_told;
mod what_changed_is_told;
mod what_goes_to_a_folder_is_signed_there;
mod what_is_built_lies_beneath_its_root;
mod what_is_delivered_is_signed;
mod what_is_delivered_is_the_runs_commit;
mod what_is_known_today_is_told;
mod what_is_promoted_is_proven;
mod what_is_signed_by_a_key;
mod what_is_signed_holds_against_strangers;
mod what_one_machine_built_another_takes;
mod what_other_actions_hand_on_is_understood;
mod what_scanners_have_read_is_not_read_again;
mod who_lets_something_through_is_known;
mod whoever_drips_is_given_up;
mod workflows;
mod your_repository_is_as_the_readme_says;
