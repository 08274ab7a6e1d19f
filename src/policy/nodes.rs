//! The tables `nodes` and `node_policies`: which server answers from which version.

use super::{StoreName, VersionNumber};
use crate::{
    base::{Millis, NodeId},
    storage::{Result, Run},
};

/// A running server.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id, made at start.
    pub id: NodeId,
    /// Its name for people, such as the host name.
    pub name: String,
}

/// What a server answers from.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NodeStatus {
    /// The server.
    pub node_id: NodeId,
    /// Its name for people.
    pub name: String,
    /// The version it answers from.
    pub number: VersionNumber,
    /// When it loaded that version.
    #[sqlx(rename = "loaded_at_ms")]
    pub loaded_at: Millis,
    /// When it last said so.
    #[sqlx(rename = "seen_at_ms")]
    pub seen_at: Millis,
}

/// One row of `node_policies`.
#[derive(Debug)]
pub(super) struct Loaded<'a> {
    pub(super) store: &'a StoreName,
    pub(super) number: VersionNumber,
    pub(super) seq: i64,
    pub(super) at: Millis,
}

/// Says that a server runs.
pub(super) async fn see(on: &mut dyn Run, node: &Node, started_at: Millis, now: Millis) -> Result<()> {
    on.sql(
        "INSERT INTO nodes (id, name, started_at_ms, seen_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (id) DO UPDATE SET seen_at_ms = excluded.seen_at_ms",
    )
    .bind(node.id)
    .bind(&node.name)
    .bind(started_at)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Says what a server answers from.
pub(super) async fn see_loaded(on: &mut dyn Run, node: NodeId, loaded: &Loaded<'_>) -> Result<()> {
    on.sql(
        "INSERT INTO node_policies (node_id, store, number, seq, loaded_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (node_id, store) DO UPDATE SET number = excluded.number, seq = excluded.seq, \
         loaded_at_ms = excluded.loaded_at_ms",
    )
    .bind(node)
    .bind(loaded.store)
    .bind(loaded.number)
    .bind(loaded.seq)
    .bind(loaded.at)
    .run()
    .await?;
    Ok(())
}

/// The servers that were seen since `since` and have loaded the store, by name.
pub(super) async fn of_store(on: &mut dyn Run, store: &StoreName, since: Millis) -> Result<Vec<NodeStatus>> {
    on.sql(
        "SELECT p.node_id, n.name, p.number, p.loaded_at_ms, n.seen_at_ms FROM node_policies p \
         JOIN nodes n ON n.id = p.node_id WHERE p.store = $1 AND n.seen_at_ms >= $2 ORDER BY n.name, n.id",
    )
    .bind(store)
    .bind(since)
    .all()
    .await
}

/// The servers that were last seen before `since`.
pub(super) async fn stale(on: &mut dyn Run, since: Millis) -> Result<Vec<NodeId>> {
    let rows: Vec<(NodeId,)> =
        on.sql("SELECT id FROM nodes WHERE seen_at_ms < $1 ORDER BY id").bind(since).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Forgets a server and what it had loaded.
pub(super) async fn forget(on: &mut dyn Run, node: NodeId) -> Result<()> {
    on.sql("DELETE FROM nodes WHERE id = $1").bind(node).run().await?;
    Ok(())
}
