//! What an edit makes of a file, byte by byte.

use super::Reason;
use crate::text;

/// An edit.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) before: &'static str,
    /// The document, the way in it, the value, and whether a key may be added.
    pub(super) set: (usize, &'static str, &'static str, bool),
    pub(super) after: Result<&'static str, Refused>,
}

/// The line of a refusal, and why.
type Refused = (usize, fn() -> Reason);

/// The cases.
pub(super) const CASES: &[Case] = &[
    // Two documents, comments, anchors, a repository whose name is a prefix of another.
    Case {
        name: "deployment-multidoc",
        before: "# Shop front, production.\n\
         # Owner: team-web\n\
         ---\n\
         apiVersion: v1\n\
         kind: Service\n\
         metadata:\n\
         \x20 name: web   # stays\n\
         spec:\n\
         \x20 selector: {app: web}\n\
         ---\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n\
         \x20 name: web\n\
         \x20 labels: &labels\n\
         \x20   app: web\n\
         \x20   tier: \"front\"\n\
         spec:\n\
         \x20 replicas: 3     # three, one a zone\n\
         \x20 selector:\n\
         \x20   matchLabels: *labels\n\
         \x20 template:\n\
         \x20   metadata:\n\
         \x20     labels: *labels\n\
         \x20   spec:\n\
         \x20     initContainers:\n\
         \x20     - name: migrate\n\
         \x20       image: r.example/shop/web-migrate:1.4.0     # another repository, must stay\n\
         \x20     containers:\n\
         \x20     - name: web\n\
         \x20       # deployed by the pipeline\n\
         \x20       image: r.example/shop/web:prod-9f8e7d6   # pinned\n\
         \x20       args: ['--listen', \"0.0.0.0:8080\"]\n\
         \n\
         \x20     - name: sidecar\n\
         \x20       image: \"envoyproxy/envoy:v1.30.1\"\n",
        set: (1, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("# Shop front, production.\n\
         # Owner: team-web\n\
         ---\n\
         apiVersion: v1\n\
         kind: Service\n\
         metadata:\n\
         \x20 name: web   # stays\n\
         spec:\n\
         \x20 selector: {app: web}\n\
         ---\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n\
         \x20 name: web\n\
         \x20 labels: &labels\n\
         \x20   app: web\n\
         \x20   tier: \"front\"\n\
         spec:\n\
         \x20 replicas: 3     # three, one a zone\n\
         \x20 selector:\n\
         \x20   matchLabels: *labels\n\
         \x20 template:\n\
         \x20   metadata:\n\
         \x20     labels: *labels\n\
         \x20   spec:\n\
         \x20     initContainers:\n\
         \x20     - name: migrate\n\
         \x20       image: r.example/shop/web-migrate:1.4.0     # another repository, must stay\n\
         \x20     containers:\n\
         \x20     - name: web\n\
         \x20       # deployed by the pipeline\n\
         \x20       image: r.example/shop/web:prod-0a1b2c3   # pinned\n\
         \x20       args: ['--listen', \"0.0.0.0:8080\"]\n\
         \n\
         \x20     - name: sidecar\n\
         \x20       image: \"envoyproxy/envoy:v1.30.1\"\n"),
    },
    // Double quotes are kept.
    Case {
        name: "double-quoted",
        before: "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: \"r.example/shop/web:old\"  # note\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: \"r.example/shop/web:prod-0a1b2c3\"  # note\n"),
    },
    // Windows line ends are kept.
    Case {
        name: "crlf",
        before: "apiVersion: apps/v1\r\n\
         kind: Deployment\r\n\
         metadata: {name: web}\r\n\
         spec:\r\n\
         \x20 template:\r\n\
         \x20   spec:\r\n\
         \x20     containers:\r\n\
         \x20       - name: web\r\n\
         \x20         image: r.example/shop/web:old  # note\r\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: apps/v1\r\n\
         kind: Deployment\r\n\
         metadata: {name: web}\r\n\
         spec:\r\n\
         \x20 template:\r\n\
         \x20   spec:\r\n\
         \x20     containers:\r\n\
         \x20       - name: web\r\n\
         \x20         image: r.example/shop/web:prod-0a1b2c3  # note\r\n"),
    },
    // No line end is added.
    Case {
        name: "no-final-newline",
        before: "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:old",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:prod-0a1b2c3"),
    },
    // Offsets are bytes, not characters.
    Case {
        name: "unicode-before",
        before: "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}  # über-漢字 🚀\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:old  # note\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}  # über-漢字 🚀\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:prod-0a1b2c3  # note\n"),
    },
    // Text in a block scalar that looks like the image is not touched.
    Case {
        name: "tabs-in-block-scalar",
        before: "apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata: {name: conf}\n\
         data:\n\
         \x20 Makefile: |\n\
         \x20   all:\n\
         \x20   \tcc -o a a.c\t# tab\n\
         \x20   image: r.example/shop/web:old\n\
         \n\
         \x20 folded: >-\n\
         \x20   one\n\
         \x20   two\n\
         ---\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:old  # note\n",
        set: (1, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata: {name: conf}\n\
         data:\n\
         \x20 Makefile: |\n\
         \x20   all:\n\
         \x20   \tcc -o a a.c\t# tab\n\
         \x20   image: r.example/shop/web:old\n\
         \n\
         \x20 folded: >-\n\
         \x20   one\n\
         \x20   two\n\
         ---\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:prod-0a1b2c3  # note\n"),
    },
    // Digest in place of a tag.
    Case {
        name: "kustomization-digest",
        before: "apiVersion: kustomize.config.k8s.io/v1beta1\n\
         kind: Kustomization\n\
         images:\n\
         \x20 - digest: sha256:0000000000000000000000000000000000000000000000000000000000000000\n\
         \x20   name: web\n\
         \x20   newName: r.example/shop/web\n",
        set: (0, "images[0].digest", "sha256:abababababababababababababababababababababababababababababababab", false),
        after: Ok("apiVersion: kustomize.config.k8s.io/v1beta1\n\
         kind: Kustomization\n\
         images:\n\
         \x20 - digest: sha256:abababababababababababababababababababababababababababababababab\n\
         \x20   name: web\n\
         \x20   newName: r.example/shop/web\n"),
    },
    // The key is missing: added as the last of its entry.
    Case {
        name: "kustomization-add-newtag",
        before: "kind: Kustomization\n\
         images:\n\
         - name: web\n\
         \x20 newName: r.example/shop/web\n\
         # end\n",
        set: (0, "images[0].newTag", "prod-0a1b2c3", true),
        after: Ok("kind: Kustomization\n\
         images:\n\
         - name: web\n\
         \x20 newName: r.example/shop/web\n\
         \x20 newTag: prod-0a1b2c3\n\
         # end\n"),
    },
    // An empty string.
    Case {
        name: "helm-values-tag-empty",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"\"   # appVersion\n",
        set: (0, "image.tag", "prod-0a1b2c3", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"prod-0a1b2c3\"   # appVersion\n"),
    },
    // A key without a value.
    Case {
        name: "helm-values-tag-null",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag:\n\
         \x20 pullPolicy: Always\n",
        set: (0, "image.tag", "prod-0a1b2c3", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: prod-0a1b2c3\n\
         \x20 pullPolicy: Always\n"),
    },
    // Plain 1234567 would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-digits",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "1234567", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"1234567\"   # short sha\n"),
    },
    // Plain 0123456 would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-octal",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "0123456", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"0123456\"   # short sha\n"),
    },
    // Plain 1.10 would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-float-dot",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "1.10", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"1.10\"   # short sha\n"),
    },
    // Plain 0x1f3a5 would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-hex",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "0x1f3a5", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"0x1f3a5\"   # short sha\n"),
    },
    // Plain on would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-bool",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "on", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"on\"   # short sha\n"),
    },
    // Plain null would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-null",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "null", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"null\"   # short sha\n"),
    },
    // Plain 1_000 would be no string in YAML 1.1 or 1.2 (helm and kubectl read 1.1): quoted.
    Case {
        name: "tag-underscore",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: abcdef0   # short sha\n",
        set: (0, "image.tag", "1_000", false),
        after: Ok("image:\n\
         \x20 repository: r.example/shop/web\n\
         \x20 tag: \"1_000\"   # short sha\n"),
    },
    // An entry found by its name.
    Case {
        name: "argocd-application",
        before: "apiVersion: argoproj.io/v1alpha1\n\
         kind: Application\n\
         metadata:\n\
         \x20 name: web\n\
         \x20 namespace: argocd\n\
         spec:\n\
         \x20 source:\n\
         \x20   repoURL: https://git.example.com/charts\n\
         \x20   targetRevision: HEAD\n\
         \x20   helm:\n\
         \x20     parameters:\n\
         \x20       - name: image.repository\n\
         \x20         value: r.example/shop/web\n\
         \x20       - name: image.tag       # the one to set\n\
         \x20         value: \"9f8e7d6\"\n\
         \x20         forceString: true\n\
         \x20     valuesObject:\n\
         \x20       image: {tag: x}\n",
        set: (0, "spec.source.helm.parameters[1].value", "0a1b2c3", false),
        after: Ok("apiVersion: argoproj.io/v1alpha1\n\
         kind: Application\n\
         metadata:\n\
         \x20 name: web\n\
         \x20 namespace: argocd\n\
         spec:\n\
         \x20 source:\n\
         \x20   repoURL: https://git.example.com/charts\n\
         \x20   targetRevision: HEAD\n\
         \x20   helm:\n\
         \x20     parameters:\n\
         \x20       - name: image.repository\n\
         \x20         value: r.example/shop/web\n\
         \x20       - name: image.tag       # the one to set\n\
         \x20         value: \"0a1b2c3\"\n\
         \x20         forceString: true\n\
         \x20     valuesObject:\n\
         \x20       image: {tag: x}\n"),
    },
    // Directives and document end marks.
    Case {
        name: "document-ends",
        before: "%YAML 1.1\n\
         ---\n\
         a: 1\n\
         ...\n\
         # between\n\
         ---\n\
         image: r.example/shop/web:old\n\
         ...\n",
        set: (1, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("%YAML 1.1\n\
         ---\n\
         a: 1\n\
         ...\n\
         # between\n\
         ---\n\
         image: r.example/shop/web:prod-0a1b2c3\n\
         ...\n"),
    },
    // Empty documents between marks.
    Case {
        name: "empty-documents",
        before: "---\n\
         ---\n\
         # only a comment\n\
         ---\n\
         image: r.example/shop/web:old\n\
         ---\n",
        set: (2, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("---\n\
         ---\n\
         # only a comment\n\
         ---\n\
         image: r.example/shop/web:prod-0a1b2c3\n\
         ---\n"),
    },
    // Flow style.
    Case {
        name: "flow-mapping",
        before: "spec: {template: {spec: {containers: [{name: web, image: r.example/shop/web:old}, {name: b, image: b:1}]}}}\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok(
            "spec: {template: {spec: {containers: [{name: web, image: r.example/shop/web:prod-0a1b2c3}, {name: b, image: b:1}]}}}\n",
        ),
    },
    // JSON is YAML; tabs as indentation.
    Case {
        name: "json-file",
        before: "{\n\
         \t\"kind\": \"Deployment\",\n\
         \t\"spec\": {\"template\": {\"spec\": {\"containers\": [{\"name\": \"web\", \"image\": \"r.example/shop/web:old\"}]}}}\n\
         }\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("{\n\
         \t\"kind\": \"Deployment\",\n\
         \t\"spec\": {\"template\": {\"spec\": {\"containers\": [{\"name\": \"web\", \"image\": \"r.example/shop/web:prod-0a1b2c3\"}]}}}\n\
         }\n"),
    },
    // The anchor stays, so b follows.
    Case {
        name: "anchor-on-value",
        before: "a:\n\
         \x20 image: &img r.example/shop/web:old # anchored\n\
         b:\n\
         \x20 image: *img\n",
        set: (0, "a.image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("a:\n\
         \x20 image: &img r.example/shop/web:prod-0a1b2c3 # anchored\n\
         b:\n\
         \x20 image: *img\n"),
    },
    // An explicit type stays.
    Case {
        name: "tagged-value",
        before: "image: !!str r.example/shop/web:old\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("image: !!str r.example/shop/web:prod-0a1b2c3\n"),
    },
    // Tag and digest.
    Case {
        name: "digest-pin",
        before: "image: r.example/shop/web:old@sha256:0000000000000000000000000000000000000000000000000000000000000000\n",
        set: (
            0,
            "image",
            "r.example/shop/web:prod-0a1b2c3@sha256:abababababababababababababababababababababababababababababababab",
            false,
        ),
        after: Ok(
            "image: r.example/shop/web:prod-0a1b2c3@sha256:abababababababababababababababababababababababababababababababab\n",
        ),
    },
    // A List of objects; sequences not indented.
    Case {
        name: "list-of-kinds",
        before: "apiVersion: v1\n\
         kind: List\n\
         items:\n\
         - apiVersion: batch/v1\n\
         \x20 kind: CronJob\n\
         \x20 spec:\n\
         \x20   jobTemplate:\n\
         \x20     spec:\n\
         \x20       template:\n\
         \x20         spec:\n\
         \x20           containers:\n\
         \x20           - image: r.example/shop/web:old\n\
         \x20             name: web\n",
        set: (0, "items[0].spec.jobTemplate.spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: v1\n\
         kind: List\n\
         items:\n\
         - apiVersion: batch/v1\n\
         \x20 kind: CronJob\n\
         \x20 spec:\n\
         \x20   jobTemplate:\n\
         \x20     spec:\n\
         \x20       template:\n\
         \x20         spec:\n\
         \x20           containers:\n\
         \x20           - image: r.example/shop/web:prod-0a1b2c3\n\
         \x20             name: web\n"),
    },
    // Mixed line ends are left as they are.
    Case {
        name: "mixed-line-ends",
        before: "apiVersion: apps/v1\n\
         kind: Deployment\r\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\r\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:old  # note\n",
        set: (0, "spec.template.spec.containers[0].image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("apiVersion: apps/v1\n\
         kind: Deployment\r\n\
         metadata: {name: web}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\r\n\
         \x20     containers:\n\
         \x20       - name: web\n\
         \x20         image: r.example/shop/web:prod-0a1b2c3  # note\n"),
    },
    // Trailing blanks and a tab after a colon.
    Case {
        name: "trailing-space",
        before: "a: 1   \n\
         image: r.example/shop/web:old   \n\
         b:\t2\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("a: 1   \n\
         image: r.example/shop/web:prod-0a1b2c3   \n\
         b:\t2\n"),
    },
    // Comments everywhere, comment as the last line without a line end.
    Case {
        name: "comment-between",
        before: "image:\n\
         \x20 # who set this\n\
         \x20 repository: r.example/shop/web\n\
         \x20 # do not edit by hand\n\
         \n\
         \x20 tag: x\n\
         # end of file",
        set: (0, "image.tag", "prod-0a1b2c3", false),
        after: Ok("image:\n\
         \x20 # who set this\n\
         \x20 repository: r.example/shop/web\n\
         \x20 # do not edit by hand\n\
         \n\
         \x20 tag: prod-0a1b2c3\n\
         # end of file"),
    },
    // Explicit keys.
    Case {
        name: "explicit-key",
        before: "? image\n\
         : r.example/shop/web:old\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Ok("? image\n\
         : r.example/shop/web:prod-0a1b2c3\n"),
    },
    // The value comes by a merge key.
    Case {
        name: "merge-key",
        before: "base: &base\n\
         \x20 image: r.example/shop/web:old\n\
         b:\n\
         \x20 <<: *base\n",
        set: (0, "b.image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Err((4, || Reason::Merge)),
    },
    // Which one counts differs from reader to reader.
    Case {
        name: "duplicate-key",
        before: "image: r.example/shop/web:old\n\
         x: 1\n\
         image: r.example/shop/web:older\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Err((3, || Reason::Twice(text::words("image")))),
    },
    // A folded block: refused (or rewritten whole), never half-written.
    Case {
        name: "block-value",
        before: "image: >-\n\
         \x20 r.example/shop/web:old\n\
         x: 1\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Err((1, || Reason::Block)),
    },
    // A mapping where a string is expected.
    Case {
        name: "not-a-scalar",
        before: "image:\n\
         \x20 repository: r.example/shop/web\n",
        set: (0, "image", "r.example/shop/web:prod-0a1b2c3", false),
        after: Err((1, || Reason::NoScalar)),
    },
    // Single quotes are kept.
    Case {
        name: "single-quoted",
        before: "image: 'r.example/shop/web:old' # x\n",
        set: (0, "image", "r.example/shop/web:new", false),
        after: Ok("image: 'r.example/shop/web:new' # x\n"),
    },
    // The mark at the start stays, and offsets count it.
    Case {
        name: "byte-order-mark",
        before: "\u{feff}image: r.example/shop/web:old\n",
        set: (0, "image", "r.example/shop/web:new", false),
        after: Ok("\u{feff}image: r.example/shop/web:new\n"),
    },
    // A short commit id can be a float.
    Case {
        name: "scientific",
        before: "image:\n\
         \x20 tag: x\n",
        set: (0, "image.tag", "12e3456", false),
        after: Ok("image:\n\
         \x20 tag: \"12e3456\"\n"),
    },
    // A date is a type of YAML 1.1.
    Case {
        name: "date",
        before: "image:\n\
         \x20 tag: x\n",
        set: (0, "image.tag", "2026-11-25", false),
        after: Ok("image:\n\
         \x20 tag: \"2026-11-25\"\n"),
    },
    // A number to the base of 60.
    Case {
        name: "sexagesimal",
        before: "image:\n\
         \x20 tag: x\n",
        set: (0, "image.tag", "190:20:30", false),
        after: Ok("image:\n\
         \x20 tag: \"190:20:30\"\n"),
    },
    // The value is there, and is a number to its readers.
    Case { name: "quoted-only-now", before: "tag: 1.10\n", set: (0, "tag", "1.10", false), after: Ok("tag: \"1.10\"\n") },
    // An added line ends as the others do.
    Case {
        name: "crlf-add",
        before: "images:\r\n\
         - name: web\r\n\
         - name: other\r\n",
        set: (0, "images[0].newTag", "new", true),
        after: Ok("images:\r\n\
         - name: web\r\n\
         \x20 newTag: new\r\n\
         - name: other\r\n"),
    },
    // No line end is added behind what is added.
    Case {
        name: "add-without-a-final-line-end",
        before: "images:\n\
         - name: web",
        set: (0, "images[0].newTag", "007", true),
        after: Ok("images:\n\
         - name: web\n\
         \x20 newTag: \"007\""),
    },
    // Y is a bool.
    Case {
        name: "odd-keys",
        before: "\"a.b\": {'c d': x}\n",
        set: (0, "\"a.b\".\"c d\"", "y", false),
        after: Ok("\"a.b\": {'c d': \"y\"}\n"),
    },
];
