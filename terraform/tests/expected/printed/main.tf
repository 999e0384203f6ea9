# In the account 012345678901, in eu-central-1.
module "delivery" {
  source = "github.com/org/gp-deliver//terraform?ref=v1"

  github       = { owner = "octo-org", name = "octo-repo", owner_id = 65, repository_id = 74 }
  repositories = { "team/app" = {} }
  environments = {
    prod = { repository = "team/app", role_name = "delivery", read_settings = true }
  }
}
