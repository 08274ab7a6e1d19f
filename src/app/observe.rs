//! What this node looks like at one moment, for whoever scrapes it.

use super::App;
use crate::{
    base::Millis,
    policy::{EntityTable, LoadedStore, Revision},
    telemetry::metrics::{EntityGauges, Scrape, StoreGauges},
};

impl App {
    /// Every metric in the OpenMetrics text format, with the state of the stores as it is now.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let now = self.clock.now();
        let gauges = |loaded: &LoadedStore| {
            let table = self.entities.table(loaded.snapshot.store());
            gauges(loaded, table.map(|table| entity_gauges(&table)), now)
        };
        let stores = self.policies.live().loaded().iter().map(gauges).collect();
        let (bus_degraded, streams) = (self.bus.is_degraded(), self.revocations.followers());
        self.metrics.text(&Scrape { stores, bus_degraded, streams })
    }
}

fn gauges(loaded: &LoadedStore, entities: Option<EntityGauges>, now: Millis) -> StoreGauges {
    let LoadedStore { snapshot, loaded_at, distrusted } = loaded;
    StoreGauges {
        store: snapshot.store().to_string(),
        version: snapshot.version().0,
        age: now.since(*loaded_at),
        policies: snapshot.policies().count(),
        unindexed: snapshot.unindexed(),
        index_distrusted: *distrusted,
        entities,
    }
}

fn entity_gauges(table: &EntityTable) -> EntityGauges {
    let Revision(revision) = table.revision();
    EntityGauges { count: table.len(), revision: u64::try_from(revision).unwrap_or(0) }
}
