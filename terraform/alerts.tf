locals {
  alerts     = var.alerts == null ? {} : { this = var.alerts }
  severities = try(var.alerts.severities, [])
  names      = keys(var.repositories)

  # What Amazon Inspector finds (enhanced scanning) comes as an event a finding, what basic scanning finds as one a scan.
  event_patterns = {
    inspector = {
      source        = ["aws.inspector2"]
      "detail-type" = ["Inspector2 Finding"]
      detail = {
        status   = ["ACTIVE"]
        severity = local.severities
        resources = {
          type    = ["AWS_ECR_CONTAINER_IMAGE"]
          details = { awsEcrContainerImage = { repositoryName = local.names } }
        }
      }
    }
    basic-scan = {
      source        = ["aws.ecr"]
      "detail-type" = ["ECR Image Scan"]
      detail = {
        "repository-name" = local.names
        # A scan that has no result is no scan that found nothing.
        "$or" = concat(
          [{ "scan-status" = [{ "anything-but" = ["COMPLETE"] }] }],
          [for severity in local.severities : { "finding-severity-counts" = { (severity) = [{ numeric = [">", 0] }] } }],
        )
      }
    }
  }
}

resource "aws_sns_topic" "findings" {
  for_each = local.alerts

  name = "gp-deliver-findings"
  tags = var.tags
}

resource "aws_sns_topic_policy" "findings" {
  for_each = local.alerts

  arn = aws_sns_topic.findings[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Events"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.findings[each.key].arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in values(aws_cloudwatch_event_rule.findings) : rule.arn] } }
    }]
  })
}

resource "aws_sns_topic_subscription" "findings" {
  for_each = toset(try(var.alerts.emails, []))

  topic_arn = aws_sns_topic.findings["this"].arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_event_rule" "findings" {
  for_each = { for name, pattern in local.event_patterns : name => pattern if var.alerts != null }

  name          = "gp-deliver-${each.key}"
  description   = "Findings in images of ${local.by_name}"
  event_pattern = jsonencode(each.value)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "findings" {
  for_each = aws_cloudwatch_event_rule.findings

  rule = each.value.name
  arn  = aws_sns_topic.findings["this"].arn
}

# There is no CloudWatch alarm on findings here, though plans for this have had one:
#
#   resource "aws_cloudwatch_metric_alarm" "critical" {
#     namespace   = "AWS/Inspector"
#     metric_name = "CriticalSeverityCount"
#     ...
#   }
#
# That metric does not exist. The namespace AWS/Inspector is that of Amazon Inspector Classic, which has other metrics and looks
# at no images; today's Inspector puts none and sends events. An alarm on a metric that nobody puts never leaves
# INSUFFICIENT_DATA, and looks as if all were well. Findings that deliveries themselves count are the metrics Findings… of the
# namespace GpDeliver (put_metrics).
