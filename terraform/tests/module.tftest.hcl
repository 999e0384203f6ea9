# The module against the real provider, with nothing of AWS behind it: what is asked of AWS is made up, and what the
# module makes of it is held to what gp-deliver itself prints (expected/, which gp-deliver's own tests hold equal).

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "012345678901" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

override_resource {
  target = aws_kms_key.signing["prod"]
  values = { arn = "arn:aws:kms:eu-central-1:012345678901:key/11111111-1111-1111-1111-111111111111" }
}

override_resource {
  target = aws_kms_key.signing["staging"]
  values = { arn = "arn:aws:kms:eu-central-1:012345678901:key/22222222-2222-2222-2222-222222222222" }
}

override_resource {
  target = aws_kms_key.signing["dev"]
  values = { arn = "arn:aws:kms:eu-central-1:012345678901:key/33333333-3333-3333-3333-333333333333" }
}

override_resource {
  target = aws_kms_key.repositories
  values = { arn = "arn:aws:kms:eu-central-1:012345678901:key/44444444-4444-4444-4444-444444444444" }
}

override_resource {
  target = aws_sns_topic.findings
  values = { arn = "arn:aws:sns:eu-central-1:012345678901:gp-deliver-findings" }
}

override_resource {
  target = aws_cloudwatch_event_rule.findings
  values = { arn = "arn:aws:events:eu-central-1:012345678901:rule/gp-deliver" }
}

override_resource {
  target = aws_iam_openid_connect_provider.github
  values = { arn = "arn:aws:iam::012345678901:oidc-provider/token.actions.githubusercontent.com" }
}

variables {
  github = { owner = "octo-org", name = "octo-repo" }
  repositories = {
    "team/app"         = {}
    "team/app-staging" = { lifecycle_preset = "environments" }
    "team/app-dev"     = { lifecycle_preset = "simple", immutable = false }
  }
  environments = {
    prod    = { repository = "team/app", role_name = "delivery" }
    staging = { repository = "team/app-staging" }
    dev     = { repository = "team/app-dev" }
  }
  oidc_provider_arn = "arn:aws:iam::012345678901:oidc-provider/token.actions.githubusercontent.com"
}

run "policies_are_those_that_gp_deliver_prints" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.delivery["prod"].assume_role_policy) == jsondecode(file("tests/expected/trust.json"))
    error_message = "the trust policy is not the one that gp-deliver prints: ${aws_iam_role.delivery["prod"].assume_role_policy}"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.delivery["prod"].policy) == jsondecode(file("tests/expected/role.json"))
    error_message = "the role's policy is not the one that gp-deliver prints: ${aws_iam_role_policy.delivery["prod"].policy}"
  }
  assert {
    condition     = aws_iam_role.delivery["prod"].name == "delivery" && aws_iam_role.delivery["dev"].name == "gp-deliver-dev"
    error_message = "a role has the name that it is given, or its environment's"
  }
}

# The file is what AWS has after `gp-deliver repository ensure` with the same settings, by gp-deliver's own tests. Nothing has been
# applied before: the module leaves the mutability of what is there alone.
run "a_repository_is_as_repository_ensure_leaves_it" {
  command = plan

  variables {
    tags = { owner = "platform" }
    repositories = {
      for name, preset in { "team/app" = "environments-safe", "team/app-staging" = "environments", "team/app-dev" = "simple" } :
      name => {
        lifecycle_preset = preset
        pullers          = ["444455556666", "arn:aws:iam::111122223333:role/deploy"]
        pushers          = ["arn:aws:iam::111122223333:role/deploy", "arn:aws:iam::111122223333:user/ci"]
        tags             = { team = "web" }
      }
    }
  }
  assert {
    # As text, for a map and an object are never equal.
    condition = jsonencode(jsondecode(file("tests/expected/repositories.json"))) == jsonencode({
      for name, repository in aws_ecr_repository.this : name => {
        image_tag_mutability = repository.image_tag_mutability
        scan_on_push         = repository.image_scanning_configuration[0].scan_on_push
        encryption_type      = repository.encryption_configuration[0].encryption_type
        tags                 = repository.tags
        lifecycle_policy     = jsondecode(aws_ecr_lifecycle_policy.this[name].policy)
        policy               = jsondecode(aws_ecr_repository_policy.pull[name].policy)
      }
    })
    error_message = "a repository is not as gp-deliver repository ensure leaves it: ${jsonencode(values(aws_ecr_repository_policy.pull)[*].policy)}"
  }
}

run "a_subject_is_trusted_in_both_forms_where_the_ids_are_known" {
  command = plan

  variables {
    github = { owner = "octo-org", name = "octo-repo", owner_id = 65, repository_id = 74 }
  }
  assert {
    condition     = jsondecode(aws_iam_role.delivery["prod"].assume_role_policy) == jsondecode(file("tests/expected/trust-with-ids.json"))
    error_message = "the trust policy is not the one that gp-deliver prints: ${aws_iam_role.delivery["prod"].assume_role_policy}"
  }
}

run "each_role_signs_with_its_own_key_and_reads_the_others" {
  command = apply

  variables {
    sign = "kms"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.delivery["prod"].policy) == jsondecode(file("tests/expected/role-with-keys.json"))
    error_message = "the role's policy is not the one that gp-deliver prints: ${aws_iam_role_policy.delivery["prod"].policy}"
  }
  assert {
    condition = alltrue([
      for name, key in aws_kms_key.signing : key.customer_master_key_spec == "ECC_NIST_P256" && key.key_usage == "SIGN_VERIFY"
    ]) && length(aws_kms_key.signing) == 3
    error_message = "each environment has a key that gp-deliver signs with"
  }
  # The key's own policy gives kms:Sign to its environment's role and to nobody else, the account's administrators among them.
  assert {
    condition = alltrue(flatten([
      for name, key in aws_kms_key.signing : [
        for statement in jsondecode(key.policy).Statement :
        statement.Principal.AWS == (statement.Sid == "Sign" ? local.role_arns[name] : "arn:aws:iam::012345678901:root")
        && (statement.Sid == "Sign") == contains(statement.Action, "kms:Sign") && !contains(statement.Action, "kms:*")
      ]
    ]))
    error_message = "a key is used by its environment's role alone"
  }
  assert {
    condition = output.trusted_keys["prod"] == join("\n", [
      "dev=arn:aws:kms:eu-central-1:012345678901:key/33333333-3333-3333-3333-333333333333",
      "staging=arn:aws:kms:eu-central-1:012345678901:key/22222222-2222-2222-2222-222222222222",
    ])
    error_message = "the others' keys are those that trusted-keys takes: ${output.trusted_keys["prod"]}"
  }
}

run "a_role_may_do_more_only_where_it_is_asked_for" {
  command = plan

  variables {
    environments = {
      prod = {
        repository    = "team/app"
        read_settings = true
        read_findings = true
        delete_images = true
        put_metrics   = true
        base_images   = ["arn:aws:ecr:eu-central-1:210987654321:repository/team/base"]

        database_mirrors = ["arn:aws:ecr:eu-central-1:012345678901:repository/mirror/trivy-db"]
      }
    }
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.delivery["prod"].policy).Statement : statement.Sid] == [
      "LogIn", "PushImages", "ReadTagMutability", "TakeBackTags", "ReadScanFindings", "ReadInspectorFindings", "PullBaseImages", "PullDatabases", "PutMetrics",
    ]
    error_message = "each thing more is a statement of its own"
  }
  # Nothing but what has no ARN is allowed on everything.
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.delivery["prod"].policy).Statement :
      statement.Resource != "*" || contains(["LogIn", "PutMetrics", "ReadInspectorFindings"], statement.Sid)
    ])
    error_message = "a statement is on the one repository"
  }
  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.delivery["prod"].policy).Statement : jsonencode(statement) if statement.Sid == "PullBaseImages"]) == jsonencode(jsondecode(file("tests/expected/base-image.json")).Statement[1])
    error_message = "base images are pulled as gp-deliver's own message says"
  }
  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.delivery["prod"].policy).Statement : jsonencode(statement) if statement.Sid == "PullDatabases"]) == jsonencode(jsondecode(file("tests/expected/role-with-mirror.json")).Statement[2])
    error_message = "mirrors are read as gp-deliver policy says"
  }
}

run "a_role_that_reads_findings_is_the_one_that_gp_deliver_prints" {
  command = plan

  variables {
    environments = { prod = { repository = "team/app", role_name = "delivery", read_findings = true } }
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.delivery["prod"].policy) == jsondecode(file("tests/expected/role-with-findings.json"))
    error_message = "the role's policy is not the one that gp-deliver prints: ${aws_iam_role_policy.delivery["prod"].policy}"
  }
}

run "nobody_means_everyone" {
  command = plan

  variables {
    repositories = { "team/app" = { pullers = ["*"] }, "team/app-staging" = {}, "team/app-dev" = {} }
  }
  expect_failures = [var.repositories]
}

run "repositories_have_the_presets_and_are_scanned_encrypted_and_immutable" {
  command = plan

  assert {
    condition = (
      aws_ecr_lifecycle_policy.this["team/app"].policy == file("lifecycle/environments-safe.json")
      && aws_ecr_lifecycle_policy.this["team/app-staging"].policy == file("lifecycle/environments.json")
      && aws_ecr_lifecycle_policy.this["team/app-dev"].policy == file("lifecycle/simple.json")
    )
    error_message = "a preset is put as it is"
  }
  assert {
    condition = (
      aws_ecr_repository.this["team/app"].image_tag_mutability == "IMMUTABLE"
      && aws_ecr_repository.this["team/app-dev"].image_tag_mutability == "MUTABLE"
      && alltrue([for repository in aws_ecr_repository.this : repository.image_scanning_configuration[0].scan_on_push && repository.force_delete == false])
      && alltrue([for repository in aws_ecr_repository.this : repository.encryption_configuration[0].encryption_type == "AES256"])
    )
    error_message = "a repository is as gp-deliver wants it"
  }
  assert {
    condition     = length(aws_ecr_registry_scanning_configuration.this) + length(aws_inspector2_enabler.images) + length(aws_sns_topic.findings) + length(aws_cloudwatch_dashboard.deliveries) + length(aws_kms_key.signing) == 0
    error_message = "what concerns the whole account is made only where it is asked for"
  }
}

run "everything_is_made_where_it_is_asked_for" {
  command = apply

  variables {
    oidc_provider_arn = null
    encrypt_with_kms  = true
    sign              = "kms"
    registry_scanning = { type = "ENHANCED", frequency = "CONTINUOUS_SCAN" }
    enable_inspector  = true
    alerts            = { emails = ["team@example.com"] }
    dashboard         = true
  }
  assert {
    condition     = jsondecode(aws_iam_role.delivery["prod"].assume_role_policy) == jsondecode(file("tests/expected/trust.json"))
    error_message = "the provider that is created is trusted as one that is given: ${aws_iam_role.delivery["prod"].assume_role_policy}"
  }
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.encryption_configuration[0].kms_key == aws_kms_key.repositories[0].arn])
    error_message = "repositories are encrypted with the key"
  }
  assert {
    condition     = aws_inspector2_enabler.images[0].resource_types == toset(["ECR"]) && aws_ecr_registry_scanning_configuration.this[0].scan_type == "ENHANCED"
    error_message = "Inspector looks at images"
  }
  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.findings["inspector"].event_pattern).detail.severity == ["CRITICAL", "HIGH"]
      && jsondecode(aws_cloudwatch_event_rule.findings["inspector"].event_pattern)["detail-type"] == ["Inspector2 Finding"]
      && jsondecode(aws_cloudwatch_event_rule.findings["basic-scan"].event_pattern).source == ["aws.ecr"]
      && length(jsondecode(aws_cloudwatch_event_rule.findings["basic-scan"].event_pattern).detail["$or"]) == 3
      && alltrue([for target in aws_cloudwatch_event_target.findings : target.arn == aws_sns_topic.findings["this"].arn])
    )
    error_message = "findings of both kinds go to the topic"
  }
  assert {
    condition     = jsondecode(aws_sns_topic_policy.findings["this"].policy).Statement[0].Principal.Service == "events.amazonaws.com" && length(aws_sns_topic_subscription.findings) == 1
    error_message = "the rules alone may publish"
  }
  # Each graph has a line for each environment, in the namespace and with the dimensions that deliveries put.
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.deliveries[0].dashboard_body).widgets : widget.properties.metrics[0][1]
    ] == ["Deliveries", "Blocked", "Failed", "Duration", "DatabaseAge", "FindingsCritical"]
    error_message = "the metrics are those that deliveries put"
  }
  assert {
    condition = alltrue(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.deliveries[0].dashboard_body).widgets : [
        for metric in widget.properties.metrics :
        metric[0] == "GpDeliver" && metric[2] == "Repository" && metric[4] == "Environment" && contains(["team/app", "team/app-dev", "team/app-staging"], metric[3])
      ]
    ]))
    error_message = "the dimensions are those that deliveries put"
  }
}

run "a_policy_of_ones_own_takes_the_place_of_a_preset" {
  command = plan

  variables {
    repositories = {
      "team/app"         = { lifecycle_policy = "{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":7},\"action\":{\"type\":\"expire\"}}]}" }
      "team/app-staging" = { lifecycle_preset = "none" }
      "team/app-dev"     = { pullers = ["arn:aws:iam::210987654321:root"] }
    }
  }
  assert {
    condition     = toset(keys(aws_ecr_lifecycle_policy.this)) == toset(["team/app", "team/app-dev"]) && jsondecode(aws_ecr_lifecycle_policy.this["team/app"].policy).rules[0].selection.countNumber == 7
    error_message = "a policy of one's own is put as it is, and none where none is wanted"
  }
  assert {
    condition     = jsondecode(aws_ecr_repository_policy.pull["team/app-dev"].policy).Statement[0].Action == ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    error_message = "whoever may pull may do nothing else"
  }
}

run "two_environments_do_not_share_a_repository" {
  command = plan

  variables {
    environments = {
      prod = { repository = "team/app" }
      dev  = { repository = "team/app" }
    }
  }
  expect_failures = [var.environments]
}

run "unless_that_is_asked_for" {
  command = plan

  variables {
    share_repositories = true
    environments = {
      prod = { repository = "team/app" }
      dev  = { repository = "team/app" }
    }
  }
  assert {
    condition     = length(aws_iam_role.delivery) == 2
    error_message = "each environment has a role of its own all the same"
  }
}

run "what_would_trust_more_than_is_meant_is_refused" {
  command = plan

  variables {
    github = { owner = "octo-org", name = "*" }
  }
  expect_failures = [var.github]
}

run "an_environment_that_gp_deliver_does_not_know_is_refused" {
  command = plan

  variables {
    environments = { "*" = { repository = "team/app" } }
  }
  expect_failures = [var.environments]
}

run "half_of_the_ids_is_refused" {
  command = plan

  variables {
    github = { owner = "octo-org", name = "octo-repo", owner_id = 65 }
  }
  expect_failures = [var.github]
}
