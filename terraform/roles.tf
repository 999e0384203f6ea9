locals {
  issuer       = "token.actions.githubusercontent.com"
  provider_arn = var.oidc_provider_arn != null ? var.oidc_provider_arn : aws_iam_openid_connect_provider.github[0].arn

  # The subject of a job that names an environment, in both forms that GitHub has: by names, and by names and ids.
  owner      = var.github.owner
  repository = var.github.name
  by_name    = "${local.owner}/${local.repository}"
  by_id      = var.github.owner_id == null ? null : "${local.owner}@${var.github.owner_id}/${local.repository}@${var.github.repository_id}"
  subjects = {
    for environment in keys(var.environments) : environment => [
      for repository in compact([local.by_name, local.by_id]) : "repo:${repository}:environment:${environment}"
    ]
  }

  role_names = { for name, environment in var.environments : name => coalesce(environment.role_name, "gp-deliver-${name}") }
  role_arns  = { for name, role in local.role_names : name => "arn:${local.partition}:iam::${local.account}:role/${role}" }

  trust_policies = {
    for environment, subjects in local.subjects : environment => {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = local.provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = var.audience
            # One value stands alone, several in a list, as people write them.
            "${local.issuer}:sub" = jsondecode(length(subjects) == 1 ? jsonencode(subjects[0]) : jsonencode(subjects))
          }
        }
      }]
    }
  }

  pull_actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
  push_actions = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
  ]

  # As `gp-deliver policy role` prints them.
  statements = {
    for name, environment in var.environments : name => concat(
      [
        {
          Sid      = "LogIn"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "PushImages"
          Effect   = "Allow"
          Action   = local.push_actions
          Resource = local.repository_arns[environment.repository]
        },
      ],
      [for _ in range(environment.read_settings ? 1 : 0) : {
        Sid      = "ReadTagMutability"
        Effect   = "Allow"
        Action   = "ecr:DescribeRepositories"
        Resource = local.repository_arns[environment.repository]
      }],
      [for _ in range(environment.delete_images ? 1 : 0) : {
        Sid      = "TakeBackTags"
        Effect   = "Allow"
        Action   = "ecr:BatchDeleteImage"
        Resource = local.repository_arns[environment.repository]
      }],
      [for _ in range(environment.read_findings ? 1 : 0) : {
        Sid      = "ReadScanFindings"
        Effect   = "Allow"
        Action   = "ecr:DescribeImageScanFindings"
        Resource = local.repository_arns[environment.repository]
      }],
      # Where Amazon Inspector scans, ECR asks that in the role's name; Inspector knows no resource by repository.
      [for _ in range(environment.read_findings ? 1 : 0) : {
        Sid      = "ReadInspectorFindings"
        Effect   = "Allow"
        Action   = ["inspector2:ListCoverage", "inspector2:ListFindings"]
        Resource = "*"
      }],
      [for _ in range(length(environment.base_images) > 0 ? 1 : 0) : {
        Sid      = "PullBaseImages"
        Effect   = "Allow"
        Action   = local.pull_actions
        Resource = jsondecode(length(environment.base_images) == 1 ? jsonencode(environment.base_images[0]) : jsonencode(environment.base_images))
      }],
      [for _ in range(length(environment.database_mirrors) > 0 ? 1 : 0) : {
        Sid      = "PullDatabases"
        Effect   = "Allow"
        Action   = local.pull_actions
        Resource = jsondecode(length(environment.database_mirrors) == 1 ? jsonencode(environment.database_mirrors[0]) : jsonencode(environment.database_mirrors))
      }],
      [for _ in range(environment.put_metrics ? 1 : 0) : {
        Sid       = "PutMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = local.namespace } }
      }],
      [for key in [for key in [name] : key if var.sign == "kms"] : {
        Sid      = "Sign"
        Effect   = "Allow"
        Action   = ["kms:GetPublicKey", "kms:Sign"]
        Resource = aws_kms_key.signing[key].arn
      }],
      [for at, key in [for key in keys(var.environments) : key if var.sign == "kms" && key != name] : {
        Sid      = "ReadKey${at + 1}"
        Effect   = "Allow"
        Action   = "kms:GetPublicKey"
        Resource = aws_kms_key.signing[key].arn
      }],
    )
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = [var.audience]
  tags           = var.tags
}

resource "aws_iam_role" "delivery" {
  for_each = var.environments

  name                 = local.role_names[each.key]
  description          = "gp-deliver: ${local.by_name} delivers to ${each.key}"
  assume_role_policy   = jsonencode(local.trust_policies[each.key])
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = merge(var.tags, { Environment = each.key })
}

resource "aws_iam_role_policy" "delivery" {
  for_each = var.environments

  name   = "gp-deliver"
  role   = aws_iam_role.delivery[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}
