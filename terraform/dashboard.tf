locals {
  # Where deliveries put their metrics.
  namespace = "GpDeliver"

  places = [for name, environment in var.environments : { environment = name, repository = environment.repository }]

  # A graph for each thing to know: title, metric, statistic.
  graphs = [
    { title = "Deliveries", metric = "Deliveries", stat = "Sum" },
    { title = "Held back by a gate", metric = "Blocked", stat = "Sum" },
    { title = "Failed", metric = "Failed", stat = "Sum" },
    { title = "Duration in milliseconds (p90)", metric = "Duration", stat = "p90" },
    { title = "Age of the vulnerability database in seconds", metric = "DatabaseAge", stat = "Maximum" },
  ]

  findings = {
    title   = "Findings by severity"
    region  = local.region
    view    = "timeSeries"
    stacked = true
    period  = 3600
    stat    = "Maximum"
    # Each pair of a place and a severity is a line.
    metrics = [
      for pair in setproduct(local.places, ["FindingsCritical", "FindingsHigh", "FindingsMedium", "FindingsLow", "FindingsUnknown"]) :
      [local.namespace, pair[1], "Repository", pair[0].repository, "Environment", pair[0].environment]
    ]
  }

  widgets = [
    for at, graph in local.graphs : {
      type   = "metric"
      width  = 8
      height = 6
      x      = 8 * (at % 3)
      y      = 6 * floor(at / 3)
      properties = {
        title  = graph.title
        region = local.region
        view   = "timeSeries"
        period = 3600
        stat   = graph.stat
        metrics = [
          for place in local.places :
          [local.namespace, graph.metric, "Repository", place.repository, "Environment", place.environment]
        ]
      }
    }
  ]
}

resource "aws_cloudwatch_dashboard" "deliveries" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "gp-deliver-${local.owner}-${replace(local.repository, ".", "-")}"
  dashboard_body = jsonencode({
    widgets = concat(local.widgets, [{ type = "metric", width = 8, height = 6, x = 16, y = 6, properties = local.findings }])
  })
}
