//! Content goes to a registry as soon as the image is cleared, and names wait for all that has to come before them.

use std::process::Stdio;

use doubles::proxy::{Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry};

use crate::support::job::clean;
use crate::support::{part, script, tool};

#[tokio::test(flavor = "multi_thread")]
async fn content_travels_before_the_tags_are_released_and_no_tag_is_set_without_it() {
    for listed in [false, true] {
        let (registry, source) = (Registry::start(Options::default()), clean());
        let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel();
        // The manifest goes by its digest when all that it names is there.
        let rules = vec![rule("PUT", "/manifests/sha256:", 1, Fault::Tell(sender))];
        let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
        // The list of what is in the image is not there before the test says so.
        let (go, syft) = (source.beside("go"), tool("syft"));
        let ends = if listed { format!("exec {} \"$@\"", syft.display()) } else { "exit 1".to_owned() };
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = scan ] || exec {} \"$@\"\nwhile [ ! -e {} ]; do /bin/sleep 0.05; done\n{ends}\n",
            syft.display(),
            go.display()
        );
        script(&source.beside("bin/syft"), &text);
        let path = format!("{}:{}:/usr/bin:/bin", source.beside("bin").display(), part("TOOLS"));
        let delivery = source.deliver().path(&path).without_sandbox().flag("--destination", &format!("{}/app", proxy.address));
        let mut running = delivery.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sent.recv().await.unwrap();
        assert_eq!(registry.tags("app").await.len(), 0);
        std::fs::write(go, "").unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(i32::from(!listed)));
        assert_eq!(registry.tags("app").await.len(), if listed { 2 } else { 0 });
    }
}
