# A key for each environment: whoever may use dev's can't speak for prod. The key's own policy leaves its use to the one role,
# so that no policy of IAM elsewhere in the account gives it away; the account still administers the key.
resource "aws_kms_key" "signing" {
  for_each = { for name, environment in var.environments : name => environment if var.sign == "kms" }

  description              = "gp-deliver: ${local.by_name} signs for ${each.key}"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  tags                     = merge(var.tags, { Environment = each.key })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administer"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action = [
          "kms:CancelKeyDeletion",
          "kms:CreateAlias",
          "kms:DeleteAlias",
          "kms:Describe*",
          "kms:DisableKey",
          "kms:EnableKey",
          "kms:Get*",
          "kms:List*",
          "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateAlias",
          "kms:UpdateKeyDescription",
        ]
        Resource = "*"
      },
      {
        Sid       = "Sign"
        Effect    = "Allow"
        Principal = { AWS = local.role_arns[each.key] }
        Action    = ["kms:GetPublicKey", "kms:Sign"]
        Resource  = "*"
      },
    ]
  })

  # KMS refuses a policy that names a role which is not there yet.
  depends_on = [aws_iam_role.delivery]
}

resource "aws_kms_alias" "signing" {
  for_each = aws_kms_key.signing

  name          = "alias/gp-deliver/${local.owner}/${local.repository}/${each.key}"
  target_key_id = each.value.key_id
}
