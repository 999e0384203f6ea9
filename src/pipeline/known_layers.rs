//! The layers that earlier deliveries on this machine have made or read.

use std::sync::Arc;

use super::preflight::Ready;
use super::{Delivery, builder_state};
use crate::layer_store::{LayerStore, Packing};
use crate::oci::Layout;
use crate::record::{KnownLayers, StageLog};
use crate::text;
use crate::user_cache;

/// How layers get into the image, with those that are known to whoever is trusted as far. On a machine that is thrown away after
/// the job nothing is kept.
pub(super) fn packing(delivery: &Delivery, ready: &Ready, log: &StageLog) -> Packing {
    let compression = delivery.config.build.compression;
    let lasts = !delivery.config.build.cache.hosted;
    let Some(cache) = user_cache::folder().filter(|_| lasts) else {
        return Packing { compression, known: LayerStore::default() };
    };
    let (known, reason) = LayerStore::open(&cache, &builder_state::of_layers(delivery, ready));
    if let Some(reason) = reason {
        log.line(&format!("layers are not kept for the next delivery: {}", text::words(&reason)));
    }
    Packing { compression, known }
}

/// Keeps the layers of an image for later deliveries, beside the rest of this one.
pub(super) fn keep(delivery: &Arc<Delivery>, known: LayerStore, layout: Layout) {
    if !known.is_off() {
        drop(delivery.tasks.spawn_blocking(move || known.keep(&layout)));
    }
}

/// What was known, where anything was; also said in the log.
pub(super) fn account(known: &LayerStore, log: &StageLog) -> Option<KnownLayers> {
    let account = known.account();
    if account.refused > 0 {
        let count = text::count(account.refused, "layer");
        log.line(&format!("{count} of earlier deliveries not as they were kept: made anew"));
    }
    (account.layers > 0).then_some(KnownLayers { layers: account.layers, bytes: account.bytes })
}
