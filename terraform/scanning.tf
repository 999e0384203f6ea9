# One setting for all repositories of the account in this region, whoever made them.
resource "aws_ecr_registry_scanning_configuration" "this" {
  count = var.registry_scanning == null ? 0 : 1

  scan_type = var.registry_scanning.type

  rule {
    scan_frequency = var.registry_scanning.frequency

    repository_filter {
      filter      = "*"
      filter_type = "WILDCARD"
    }
  }

  depends_on = [aws_inspector2_enabler.images]
}

resource "aws_inspector2_enabler" "images" {
  count = var.enable_inspector ? 1 : 0

  account_ids    = [local.account]
  resource_types = ["ECR"]
}
