# What AWS has to know, once. Production has an account of its own, so that each environment's repository has the same name and
# no role reaches the other's.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

provider "aws" {
  alias   = "prod"
  profile = "goldenpath-prod"
}

provider "aws" {
  alias   = "dev"
  profile = "goldenpath-dev"
}

locals {
  github = { owner = "acme", name = "goldenpath-wordpress" }
}

module "prod" {
  source    = "../../terraform"
  providers = { aws = aws.prod }

  github       = local.github
  repositories = { goldenpath-wordpress-app = {} }
  environments = { prod = { repository = "goldenpath-wordpress-app", read_settings = true, put_metrics = true } }

  sign      = "kms"
  alerts    = { emails = ["platform@example.com"] }
  dashboard = true
}

module "dev" {
  source    = "../../terraform"
  providers = { aws = aws.dev }

  github       = local.github
  repositories = { goldenpath-wordpress-app = { immutable = false, lifecycle_preset = "simple" } }
  environments = { dev = { repository = "goldenpath-wordpress-app" } }
}

output "prod" {
  value = { role = module.prod.role_arns["prod"], kms_key = module.prod.kms_keys["prod"] }
}

output "dev" {
  value = { role = module.dev.role_arns["dev"] }
}
