variable "github" {
  description = "The GitHub repository that delivers. Its ids (gh api repos/OWNER/NAME --jq '.owner.id, .id') are in the subject of the tokens of repositories that were created, renamed or moved since July 2026; with them, both forms of a subject are trusted."
  type = object({
    owner         = string
    name          = string
    owner_id      = optional(number)
    repository_id = optional(number)
  })

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+$", var.github.owner)) && can(regex("^[A-Za-z0-9._-]+$", var.github.name))
    error_message = "github: an owner and a name as GitHub has them are expected, without wildcards."
  }

  validation {
    condition     = (var.github.owner_id == null) == (var.github.repository_id == null)
    error_message = "github: both ids are expected, or neither."
  }
}

variable "repositories" {
  description = "The repositories of Amazon ECR, by their names."
  type = map(object({
    # A preset: simple, environments, environments-safe; or none.
    lifecycle_preset = optional(string, "environments-safe")
    # A lifecycle policy of your own, as JSON, in place of a preset.
    lifecycle_policy = optional(string)
    # Whether tags stay where they are. Filters for tags that move: gp-deliver repository ensure.
    immutable = optional(bool, true)
    # Whether basic scanning looks at each image that is pushed.
    scan_on_push = optional(bool, true)
    # Who may pull besides, as ARNs: accounts, roles. The same, with who may push.
    pullers = optional(list(string), [])
    pushers = optional(list(string), [])
    tags    = optional(map(string), {})
  }))

  validation {
    condition     = alltrue([for name in keys(var.repositories) : can(regex("^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*$", name))])
    error_message = "repositories: a name has lower-case letters and digits, with '.', '_', '-' between them and '/' between parts."
  }

  validation {
    condition = alltrue(flatten([
      for repository in values(var.repositories) : [
        for principal in concat(repository.pullers, repository.pushers) :
        can(regex("^([0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9_+=,.@/-]+))$", principal))
      ]
    ]))
    error_message = "repositories: pullers and pushers are ids of accounts and ARNs of accounts, roles and users; nobody means everyone."
  }

  validation {
    condition = alltrue([
      for repository in values(var.repositories) :
      contains(["simple", "environments", "environments-safe", "none"], repository.lifecycle_preset)
    ])
    error_message = "repositories: lifecycle_preset is simple, environments, environments-safe or none."
  }
}

variable "environments" {
  description = "The environments that deliver, by their names at GitHub, each with the repository that its role alone pushes to."
  type = map(object({
    repository = string
    # The role's name; otherwise gp-deliver-ENVIRONMENT.
    role_name = optional(string)
    # Whether gp-deliver doctor may see which tags may not move (ecr:DescribeRepositories).
    read_settings = optional(bool, false)
    # Whether a delivery may wait for ECR's own findings (ecr-scan), or show them.
    read_findings = optional(bool, false)
    # Whether a delivery that fails may take its tags back (ecr:BatchDeleteImage).
    delete_images = optional(bool, false)
    # Whether a delivery puts metrics (cloudwatch:PutMetricData in the namespace GpDeliver).
    put_metrics = optional(bool, false)
    # ARNs of repositories, of other accounts too, that base images are pulled from.
    base_images = optional(list(string), [])
    # ARNs of repositories that are mirrors of trivy's databases (trivy-db-repository). Nobody who delivers should push there.
    database_mirrors = optional(list(string), [])
  }))

  validation {
    condition     = alltrue([for name in keys(var.environments) : contains(["local", "dev", "test", "staging", "prod"], name)])
    error_message = "environments: local, dev, test, staging and prod are those that gp-deliver knows."
  }

  validation {
    condition     = alltrue([for environment in values(var.environments) : contains(keys(var.repositories), environment.repository)])
    error_message = "environments: repository is the name of one in repositories."
  }

  validation {
    condition     = length(distinct([for environment in values(var.environments) : environment.repository])) == length(var.environments) || var.share_repositories
    error_message = "environments: two of them name one repository, so that the role of the one can set the other's tags. Give each its own, or set share_repositories where reuse is proven everywhere."
  }
}

variable "share_repositories" {
  description = "Whether several environments may push to one repository. Then whoever may use one role may set the tags of the other, and only signatures (reuse: proven) tell their images apart."
  type        = bool
  default     = false
}

variable "oidc_provider_arn" {
  description = "The ARN of the account's identity provider for GitHub; without one it is created. An account has one at most."
  type        = string
  default     = null
}

variable "audience" {
  description = "The audience of the tokens of runs."
  type        = string
  default     = "sts.amazonaws.com"
}

variable "permissions_boundary" {
  description = "The ARN of a permissions boundary for the roles."
  type        = string
  default     = null
}

variable "sign" {
  description = "By what images are signed: kms makes a key for each environment, which its role alone signs with and the others' roles read. off makes none."
  type        = string
  default     = "off"

  validation {
    condition     = contains(["kms", "off"], var.sign)
    error_message = "sign: kms or off."
  }
}

variable "encrypt_with_kms" {
  description = "Whether the repositories are encrypted with a key of this module. It is a setting of a repository's creation: a change replaces the repository, with all images."
  type        = bool
  default     = false
}

variable "registry_scanning" {
  description = "The scanning of the whole registry: of all repositories of the account in this region, others' too. Null leaves it as it is."
  type = object({
    type      = string
    frequency = optional(string, "SCAN_ON_PUSH")
  })
  default = null

  validation {
    condition     = var.registry_scanning == null || contains(["BASIC", "ENHANCED"], try(var.registry_scanning.type, ""))
    error_message = "registry_scanning: type is BASIC or ENHANCED."
  }
}

variable "enable_inspector" {
  description = "Whether Amazon Inspector is enabled for the account's images, which enhanced scanning needs. It costs by image."
  type        = bool
  default     = false
}

variable "alerts" {
  description = "Who is told of findings: e-mail addresses (each has to confirm), and from which severities on. Null tells nobody."
  type = object({
    emails     = optional(list(string), [])
    severities = optional(list(string), ["CRITICAL", "HIGH"])
  })
  default = null
}

variable "dashboard" {
  description = "Whether there is a dashboard for the metrics that deliveries put."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of all that this module makes."
  type        = map(string)
  default     = {}
}
