#!/bin/sh
# Builds the image of the application in this folder (./Dockerfile) and pushes it to Amazon ECR under its tags: both or none.
#
#   ./scripts/ecr-build-push.sh --registry HOST --name REPOSITORY --sha SHA [--version VERSION]
#
# It stands in for the script of this name that teams have had, and asks for the same: a Docker engine, and AWS credentials
# where AWS's own tools look for them. What it calls is gp-deliver, as on a laptop: what the scanners find is advice, and
# holds nothing back. On PATH it needs gp-deliver and its scanners; else it runs the image that GP_DELIVER_IMAGE names.
#
# In CI it is deprecated: a workflow of gp-deliver judges and signs the image, and shows the team what was found.
set -eu
LC_ALL=C
export LC_ALL

IMAGE=${GP_DELIVER_IMAGE:-}
usage='usage: ecr-build-push.sh --registry HOST --name REPOSITORY --sha SHA [--version VERSION]'

refuse() {
  printf 'ecr-build-push.sh: %s\n%s\n' "$1" "$usage" >&2
  exit 2
}

# Letters, digits, '_', '.' and '-', at most 128, and neither '.' nor '-' first: all that a registry takes, and nothing that
# means more than itself to gp-deliver.
require_tag() {
  case $2 in
    [.-]* | *[!A-Za-z0-9_.-]*) refuse "$1 $2: it is to be a tag, and a tag has letters, digits, '_', '.' and '-' alone" ;;
  esac
  [ ${#2} -le 128 ] || refuse "$1: a tag has at most 128 characters"
}

registry='' name='' sha='' version=''
while [ $# -gt 0 ]; do
  option=$1
  case $option in
    --registry | --name | --sha | --version) ;;
    *) refuse "$option: not one of its arguments. Is a quotation mark in the wrong place?" ;;
  esac
  # `--sha $(git rev-parse HEAD) --version 1.0.0` outside a repository.
  case ${2-} in '' | --*) refuse "$option needs a value, and has none. Is a variable or a command's output empty?" ;; esac
  case $option in
    --registry) registry=$2 ;;
    --name) name=$2 ;;
    --sha) sha=$2 ;;
    --version) version=$2 ;;
  esac
  shift 2
done
[ -n "$registry" ] || refuse '--registry is missing'
[ -n "$name" ] || refuse '--name is missing'
[ -n "$sha" ] || refuse '--sha is missing'
require_tag --sha "$sha"
[ -z "$version" ] || require_tag --version "$version"

set -- deliver --environment dev --ecr-repository "$registry/$name"
number='(0|[1-9][0-9]*)'
if printf '%s' "$version" | grep -Eqx "v?$number\\.$number\\.$number"; then
  # A version stays with its image; any other word may move to the next.
  set -- "$@" --version "${version#v}" --tags "$sha,$(printf '%s' "$version" | sed 's/^\(v\{0,1\}\).*/\1/'){version}"
else
  set -- "$@" --tags "$sha${version:+,$version}"
fi

notice='ecr-build-push.sh is deprecated in CI: a workflow of gp-deliver also judges the image, signs it and shows what was found.'
if [ "${GITHUB_ACTIONS-}" = true ]; then printf '::warning::%s\n' "$notice"; fi
printf '%s\n' "$notice" >&2

# What it is asked for it does whatever the event is, as it always has.
GITHUB_ACTIONS=false
export GITHUB_ACTIONS

missing=''
for program in gp-deliver gitleaks trivy syft; do
  command -v "$program" >/dev/null || missing=$program
done
if [ -z "$missing" ]; then exec gp-deliver "$@"; fi
if [ -z "$IMAGE" ]; then
  echo "ecr-build-push.sh: $missing is not on PATH, and GP_DELIVER_IMAGE names no image of gp-deliver to run in its place." >&2
  exit 1
fi

# The repository is where git's folder is; the application may be a folder in it.
root=$(git rev-parse --show-toplevel 2>/dev/null || pwd)
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
case $socket in
  unix://*) socket=${socket#unix://} ;;
  *) echo "ecr-build-push.sh: GP_DELIVER_IMAGE needs a Docker engine at a socket of this machine, and DOCKER_HOST is $socket." >&2 && exit 1 ;;
esac
set -- "$IMAGE" "$@"
for variable in AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; do
  file=$(printenv "$variable" || true)
  if [ -n "$file" ]; then set -- --env "$variable" --volume "$file:$file:ro" "$@"; fi
done
for variable in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE \
  AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_CA_BUNDLE HTTPS_PROXY HTTP_PROXY NO_PROXY; do
  if printenv "$variable" >/dev/null; then set -- --env "$variable" "$@"; fi
done
if [ -d "${HOME-}/.aws" ]; then set -- --volume "$HOME/.aws:/root/.aws:ro" "$@"; fi
exec docker run --rm --volume "$socket:/var/run/docker.sock" --volume "$root:$root" --workdir "$(pwd)" --env HOME=/root "$@"
