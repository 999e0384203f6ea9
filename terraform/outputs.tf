output "repository_urls" {
  description = "The repositories' addresses, by their names: gp-deliver's ecr-repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "role_arns" {
  description = "The roles, by their environments: gp-deliver's role-to-assume."
  value       = { for name, role in aws_iam_role.delivery : name => role.arn }
}

output "kms_keys" {
  description = "The keys that sign, by their environments: gp-deliver's kms-key."
  value       = { for name, key in aws_kms_key.signing : name => key.arn }
}

output "trusted_keys" {
  description = "gp-deliver's trusted-keys, by the environment that is given them: the others' keys, a line each."
  value = {
    for name in keys(aws_kms_key.signing) : name =>
    join("\n", [for other, key in aws_kms_key.signing : "${other}=${key.arn}" if other != name])
  }
}

output "oidc_provider_arn" {
  description = "The identity provider that the roles trust."
  value       = local.provider_arn
}

output "findings_topic_arn" {
  description = "The topic that findings are told on, if they are."
  value       = try(aws_sns_topic.findings["this"].arn, null)
}

output "policies" {
  description = "The roles' policies as they are put, by their environments: trust and permissions."
  value = {
    for name in keys(var.environments) : name => {
      trust = jsonencode(local.trust_policies[name])
      role  = jsonencode({ Version = "2012-10-17", Statement = local.statements[name] })
    }
  }
}
