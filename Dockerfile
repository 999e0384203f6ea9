# The image of gp-deliver: the binary, git, the scanners, CA certificates and what
# these need. There is no shell, no interpreter and no package manager in it.
#
#   docker build .                               all programs from source
#   docker build --build-arg PROGRAMS=prebuilt   those in target/image (scripts/image puts them there)

ARG GO_IMAGE=docker.io/library/golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
ARG PROGRAMS=source

FROM --platform=$BUILDPLATFORM $GO_IMAGE AS scanners
WORKDIR /build
COPY scripts/tools scripts/tools
COPY tools/gitleaks tools/gitleaks
COPY tools/trivy tools/trivy
COPY tools/syft tools/syft
ARG TARGETARCH
RUN GOARCH=$TARGETARCH XDG_CACHE_HOME=/cache scripts/tools gitleaks trivy syft

FROM --platform=$BUILDPLATFORM $RUST_IMAGE AS binary
WORKDIR /build
COPY scripts/release-binary scripts/release-binary
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY src src
ARG TARGETARCH
ARG APT_SOURCES=
RUN scripts/release-binary "$TARGETARCH" /gp-deliver

FROM scratch AS source
COPY --from=scanners /build/target/tools/bin/ /scanners/
COPY --from=binary /gp-deliver /gp-deliver

FROM scratch AS prebuilt
ARG TARGETARCH
COPY target/image/$TARGETARCH/ /

FROM $PROGRAMS AS programs

# Only unpacks packages, so it runs on the building machine for all platforms.
FROM --platform=$BUILDPLATFORM $BASE_IMAGE AS root
ARG TARGETARCH
ARG APT_SOURCES=
COPY scripts/root-filesystem /
RUN /root-filesystem /image "$TARGETARCH"

FROM scratch AS base
COPY --from=root /image/ /
COPY --from=programs /scanners/ /usr/local/bin/
ENV PATH=/usr/local/bin:/usr/bin

# The build ends here if one of the programs does not start. It is a stage of its
# own, since running a program leaves mount points behind.
FROM base AS checked
COPY --from=programs /gp-deliver /usr/local/bin/gp-deliver
RUN ["git", "--version"]
RUN ["gitleaks", "version"]
RUN ["trivy", "--version"]
RUN ["syft", "--version"]
RUN ["gp-deliver", "--version"]

# It runs as root, for a container action's workspace and command files are made
# for that (GitHub's documentation of Docker actions, "USER").
FROM base
COPY --from=checked /usr/local/bin/gp-deliver /usr/local/bin/gp-deliver
ARG VERSION=unreleased
ARG REPOSITORY=https://github.com/org/gp-deliver
LABEL org.opencontainers.image.title="gp-deliver" \
      org.opencontainers.image.description="Scans, builds, lists, decides on and publishes container images" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$REPOSITORY" \
      org.opencontainers.image.version="$VERSION"
# It does one job and ends: its exit code is how it is.
HEALTHCHECK NONE
ENTRYPOINT ["gp-deliver"]
