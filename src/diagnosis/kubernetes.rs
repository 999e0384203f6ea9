//! The words for a pull secret that could not be written.

use http::StatusCode;

use super::Diagnosis;
use crate::aws;
use crate::kubernetes::{Error, MANAGED_BY, Place, TYPE, Verb};
use crate::net::TransportError;
use crate::text::{self, Line};

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoCluster(variable) => Self::new(
                "This is not a pod of a Kubernetes cluster",
                format!("{variable} is not set, and Kubernetes sets it in each pod."),
                "Run `gp-deliver pull-secret` as a Job in the cluster: examples/pull-secret has one.",
            ),
            Error::Address(address) => Self::new(
                "The address of the cluster's API server is not valid",
                format!("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name {address:?}."),
                "Kubernetes sets these variables in each pod: set neither by hand.",
            ),
            Error::File { path, source } => Self::new(
                format!("The service account's file {} can't be read", path.display()),
                source.to_string(),
                "Let the pod have its service account's token (`automountServiceAccountToken: true`), or name the folder of a projected \
                 volume with `--service-account`.",
            ),
            Error::Unfit { path, missing } => Self::new(
                format!("The service account's file {} is not what it should be", path.display()),
                format!("There is not {missing} in it."),
                "Kubernetes writes this file: check the volume that it is in.",
            ),
            Error::Client(reason) => Self::new(
                "No connection to the cluster's API server can be made",
                reason,
                "Check `ca.crt` among the service account's files.",
            ),
            Error::Connection { host, error } => unreachable_server(host, error),
            Error::Refused { verb, place, status, message, .. } => refused(*verb, place, *status, message),
            Error::Malformed { verb, place } => Self::new(
                "The cluster's API server does not answer as one does",
                format!("What it answers to {verb} of {place} is not that Secret."),
                "Check what stands between this pod and the API server.",
            ),
            Error::OtherType { place, found } => Self::new(
                format!("The Secret {place} is not a pull secret"),
                format!("Its type is {found:?}, {TYPE} is expected, and the type of a Secret can't be changed."),
                "Name another Secret with `--secret`. If nothing needs this one, delete it and create it anew, by this manifest:",
            )
            .with_copy(&manifest(place)),
            Error::Immutable(place) => Self::new(
                format!("The Secret {place} can't be changed"),
                "It says `immutable: true`, and that can't be taken back.",
                "Name another Secret with `--secret`, or delete this one and create it anew, by this manifest:",
            )
            .with_copy(&manifest(place)),
            Error::Foreign { place, hosts } => foreign(place, hosts),
            Error::NotKept(place) => Self::new(
                format!("The Secret {place} does not hold what was written to it"),
                "The API server took it, and its answer has another value.",
                "Look for an admission webhook that changes Secrets, and leave this one out of it.",
            ),
        }
    }
}

/// AWS gave no login. A pod has its identity from elsewhere than a job or a laptop.
pub(super) fn no_login(error: &aws::Error) -> Diagnosis {
    match error {
        aws::Error::NoCredentials(reason) => Diagnosis::new(
            "This pod has no credentials of AWS",
            reason,
            "Give its service account a role: the annotation `eks.amazonaws.com/role-arn` (with the webhook that IAM roles for service \
             accounts need), or an EKS Pod Identity association. The role's trust policy has to name this service account.",
        ),
        aws::Error::NoRegion => Diagnosis::new(
            "No AWS region is named",
            "Neither `--registry` nor AWS_REGION names one.",
            "Name the registry with `--registry`, or set AWS_REGION in the pod.",
        ),
        aws::Error::OtherRegistry { asked, actual } => Diagnosis::new(
            format!("{asked} is not a registry that AWS gives this identity a login to"),
            format!("Amazon ECR names {actual}."),
            "Check `--registry`: it is a host without a scheme and without a path.",
        ),
        error => error.into(),
    }
}

fn unreachable_server(host: &str, error: &TransportError) -> Diagnosis {
    match error {
        TransportError::Tls(reason) => Diagnosis::new(
            format!("{host} is not the API server of this cluster"),
            format!("{reason}. No token was shown."),
            "Its certificate has to be by the authority in `ca.crt`: check that KUBERNETES_SERVICE_HOST is the cluster's own.",
        ),
        error => Diagnosis::new(
            format!("The cluster's API server at {host} can't be reached"),
            error.to_string(),
            "Check that a network policy lets this pod reach it, and run again.",
        ),
    }
}

fn refused(verb: Verb, place: &Place, status: StatusCode, message: &Line) -> Diagnosis {
    let said = format!("The API server answers {status}: {message}");
    match (status, verb) {
        (StatusCode::UNAUTHORIZED, _) => Diagnosis::new(
            "The cluster's API server does not know this service account",
            said,
            "Its token has expired, or the service account was deleted and made anew. The kubelet renews a token that it has mounted \
             itself; a copy of one expires.",
        ),
        (StatusCode::FORBIDDEN, Verb::Create) => Diagnosis::new(
            format!("There is no Secret {place}, and this service account may not create one"),
            said,
            "Create it once, empty, by this manifest (`kubectl create --filename`). That is better than the right to `create`, which \
             can't be bound to a name: with it, and `get`, a token of any service account of the namespace can be had.",
        )
        .with_copy(&manifest(place)),
        (StatusCode::FORBIDDEN, _) => Diagnosis::new(
            format!("This service account may not {verb} the Secret {place}"),
            said,
            "Give it a Role with these rules, by a RoleBinding in the namespace of the Secret:",
        )
        .with_copy(&rules(place)),
        (StatusCode::CONFLICT, _) => Diagnosis::new(
            format!("Others write the Secret {place} all the time"),
            said,
            "Find out who does: two schedules, or a GitOps controller that puts an empty Secret in its place again and again.",
        ),
        _ => Diagnosis::new(
            format!("The API server did not {verb} the Secret {place}"),
            said,
            "Check the name and the namespace, and what the API server's words say. A fault that passes is gone in the next run.",
        ),
    }
}

fn foreign(place: &Place, hosts: &[Line]) -> Diagnosis {
    let [label, value] = MANAGED_BY;
    let hosts: Vec<_> = hosts.iter().map(|host| &**host).collect();
    Diagnosis::new(
        format!("The Secret {place} has logins that gp-deliver did not write"),
        format!("They would be lost: {}.", text::list(&hosts)),
        "Name a Secret of its own with `--secret`; a pod may have several pull secrets. If they are not needed, say so by a label:",
    )
    .with_copy(&format!(
        "kubectl label secret --namespace {} {} {label}={value}",
        place.namespace.as_str(),
        place.name.as_str()
    ))
}

/// What a role has to allow.
fn rules(place: &Place) -> String {
    format!(
        "rules:\n  - apiGroups: [\"\"]\n    resources: [secrets]\n    resourceNames: [{}]\n    verbs: [get, patch]\n",
        place.name.as_str()
    )
}

/// A pull secret without a login.
fn manifest(place: &Place) -> String {
    let [label, value] = MANAGED_BY;
    let (name, namespace) = (place.name.as_str(), place.namespace.as_str());
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    {label}: {value}\n\
         type: {TYPE}\nstringData:\n  .dockerconfigjson: '{{\"auths\":{{}}}}'\n"
    )
}
