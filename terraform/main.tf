data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # Written out, so that a plan shows whole policies before anything exists.
  repository_arns = {
    for name in keys(var.repositories) : name => "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${name}"
  }

  presets = {
    for name in ["simple", "environments", "environments-safe"] : name => file("${path.module}/lifecycle/${name}.json")
  }

  lifecycle_policies = {
    for name, repository in var.repositories : name =>
    repository.lifecycle_policy != null ? repository.lifecycle_policy : local.presets[repository.lifecycle_preset]
    if repository.lifecycle_policy != null || repository.lifecycle_preset != "none"
  }
}

resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = each.key
  image_tag_mutability = each.value.immutable ? "IMMUTABLE" : "MUTABLE"
  force_delete         = false
  tags                 = merge(var.tags, each.value.tags)

  image_scanning_configuration {
    scan_on_push = each.value.scan_on_push
  }

  encryption_configuration {
    encryption_type = var.encrypt_with_kms ? "KMS" : "AES256"
    kms_key         = var.encrypt_with_kms ? aws_kms_key.repositories[0].arn : null
  }

  lifecycle {
    # Tags that move (latest, prod) are excepted by filters, which this provider has only since 6.8:
    # `gp-deliver repository ensure` sets them (IMMUTABLE_WITH_EXCLUSION), and an apply must not
    # take them away. `gp-deliver doctor` looks at what is there.
    ignore_changes = [image_tag_mutability]
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.lifecycle_policies

  repository = aws_ecr_repository.this[each.key].name
  policy     = each.value
}

resource "aws_ecr_repository_policy" "pull" {
  for_each = { for name, repository in var.repositories : name => repository if length(repository.pullers) + length(repository.pushers) > 0 }

  repository = aws_ecr_repository.this[each.key].name
  # As `gp-deliver repository ensure` writes it.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for _ in range(length(each.value.pullers) > 0 ? 1 : 0) : {
        Sid       = "PullImages"
        Effect    = "Allow"
        Principal = { AWS = each.value.pullers }
        Action    = local.pull_actions
      }],
      [for _ in range(length(each.value.pushers) > 0 ? 1 : 0) : {
        Sid       = "PushImages"
        Effect    = "Allow"
        Principal = { AWS = each.value.pushers }
        Action    = local.push_actions
      }],
    )
  })
}

resource "aws_kms_key" "repositories" {
  count = var.encrypt_with_kms ? 1 : 0

  description         = "Images of ${var.github.owner}/${var.github.name}"
  enable_key_rotation = true
  tags                = var.tags
}

resource "aws_kms_alias" "repositories" {
  count = var.encrypt_with_kms ? 1 : 0

  name          = "alias/gp-deliver/${var.github.owner}/${var.github.name}/images"
  target_key_id = aws_kms_key.repositories[0].key_id
}
