//! Replacing all entities of a store by a stream of them.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    EntityError, EntityService, LoadPlace, Written,
    commit::{LOGGED_AT_ONCE, MAX_TRIES},
    following::apply,
    store,
    writes::many,
};
use crate::{
    audit::{self, Actor},
    base::TenantId,
    policy::{Change, EntityRow, EntityTable, Revision, Snapshot, StoreName, TableBuilder},
    write_tx,
};

type Result<T, E = EntityError> = std::result::Result<T, E>;

/// The word for it in the audit log.
const REPLACED: &str = "entities_replaced";
/// Pieces of a body that may wait to be read.
const PIECES_AHEAD: usize = 8;
/// Rows that are taken out of a table at once.
const ROWS_AT_ONCE: usize = 5_000;
/// The longest line, bytes.
const LINE_LIMIT: u64 = 1024 * 1024;

/// How the entities of a load are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadForm {
    /// One entity a line; empty lines do not count.
    Lines,
    /// One JSON array.
    Array,
}

/// A load under way: what was sent is checked and built in as it comes, and nothing is stored before
/// [`EntityService::finish_load`].
#[derive(Debug)]
pub struct Load {
    store: StoreName,
    pieces: mpsc::Sender<Option<Vec<u8>>>,
    reading: JoinHandle<Result<EntityTable>>,
}

impl Load {
    /// Takes in the next piece of the body; waits while there are too many. False when the load is settled
    /// already: something was wrong, and the rest need not be sent.
    pub async fn send(&self, piece: Vec<u8>) -> bool {
        self.pieces.send(Some(piece)).await.is_ok()
    }
}

impl EntityService {
    /// Begins to replace all entities of a store.
    ///
    /// Errors: `UnknownStore`, `NoActiveVersion`, `Storage`.
    pub async fn begin_load(&self, store: &StoreName, form: LoadForm) -> Result<Load> {
        let snapshot = self.schema(store).await?;
        let at = self.revision(store).next(); // a guess: others may write meanwhile
        let (pieces, sent) = mpsc::channel(PIECES_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            read(&snapshot, form, at, Body { sent, piece: io::Cursor::default(), ended: false })
        });
        Ok(Load { store: store.clone(), pieces, reading })
    }

    /// Replaces all entities of the store by those that were sent; what is alike stays as it is.
    ///
    /// Errors: what is wrong with the entities, as `At` where one of them is; `Contended`, `Audit`, `Storage`. The
    /// store's entities are all as they were then.
    pub async fn finish_load(&self, load: Load, actor: Actor<'_>) -> Result<Written> {
        let Load { store, pieces, reading } = load;
        let _ = pieces.send(None).await; // who has stopped reading has an error to tell
        let target = reading.await.map_err(|_| EntityError::Stopped)??;
        let _turn = self.live.turn(&store).await;
        for _ in 0..MAX_TRIES {
            self.catch_up(&store).await?;
            let before = self.table(&store).unwrap_or_default();
            if let Some(written) = self.replace(&store, before, target.clone(), actor).await? {
                self.announce(&store).await;
                return Ok(written);
            }
        }
        Err(EntityError::Contended)
    }

    /// Tries once; nothing when another node was faster.
    async fn replace(
        &self,
        store: &StoreName,
        before: EntityTable,
        target: EntityTable,
        actor: Actor<'_>,
    ) -> Result<Option<Written>> {
        let (from, at) = (before.revision(), before.revision().next());
        let comparing = (before.clone(), target.clone());
        let changes =
            tokio::task::spawn_blocking(move || comparing.0.difference(&comparing.1, LOGGED_AT_ONCE));
        let counted = |put, removed| Written { revision: at, entity: None, put, removed, created: false };
        let (after, written) = match changes.await.map_err(|_| EntityError::Stopped)? {
            Some(changes) if changes.is_empty() => {
                return Ok(Some(Written { revision: from, ..counted(0, 0) }));
            }
            Some(changes) => {
                let changes: Vec<Change> = changes.into_iter().map(|change| stamped(change, at)).collect();
                let after = apply(before, changes.clone(), at).await?;
                let removed = changes.iter().filter(|change| matches!(change, Change::Remove(_))).count();
                let put = changes.len() - removed;
                if !self.record(store, from, &many(REPLACED, store, changes), actor).await? {
                    return Ok(None);
                }
                (after, counted(put, removed))
            }
            None => {
                let after = restamp(target, at).await?;
                if !self.record_whole(store, from, &after, before.len(), actor).await? {
                    return Ok(None);
                }
                let written = counted(after.len(), before.len());
                (after, written)
            }
        };
        self.live.install(store, &after);
        Ok(Some(written))
    }

    /// Writes a whole table down, if the truth is still at `from`; answers whether it was.
    async fn record_whole(
        &self,
        store: &StoreName,
        from: Revision,
        table: &EntityTable,
        before: usize,
        actor: Actor<'_>,
    ) -> Result<bool> {
        let now = self.clock.now();
        let detail = json!({ "put": table.len(), "deleted": before });
        write_tx!(self.db, "entities.replace", |tx| -> Result<bool> {
            if !store::advance(tx, store, from).await? {
                return Ok(false);
            }
            store::clear(tx, store).await?;
            let mut rows = table.iter();
            loop {
                let some: Vec<EntityRow> = rows.by_ref().take(ROWS_AT_ONCE).collect();
                if some.is_empty() {
                    break;
                }
                store::put(tx, store, &some).await?;
            }
            store::forget(tx, store, from.next()).await?;
            let entry = actor.does(TenantId::DEFAULT, REPLACED, store.as_str(), detail.clone());
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(true)
        })
    }
}

fn stamped(change: Change, revision: Revision) -> Change {
    match change {
        Change::Put(row) => Change::Put(EntityRow { revision, ..row }),
        removal @ Change::Remove(_) => removal,
    }
}

/// The same entities, all written by this revision.
async fn restamp(table: EntityTable, revision: Revision) -> Result<EntityTable> {
    if table.revision() == revision {
        return Ok(table);
    }
    let rows =
        move || EntityTable::from_rows(table.iter().map(|row| EntityRow { revision, ..row }), revision);
    Ok(tokio::task::spawn_blocking(rows).await.map_err(|_| EntityError::Stopped)??)
}

/// What was sent, as something to read from. Blocks; not for a thread that answers requests.
struct Body {
    sent: mpsc::Receiver<Option<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(into)?;
            if read > 0 || self.ended || into.is_empty() {
                return Ok(read);
            }
            match self.sent.blocking_recv() {
                Some(Some(piece)) => self.piece = io::Cursor::new(piece),
                Some(None) => self.ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

/// Builds a table of what is sent.
struct Building<'a> {
    snapshot: &'a Snapshot,
    at: Revision,
    builder: TableBuilder,
}

impl Building<'_> {
    fn take(&mut self, entity: &Value) -> Result<()> {
        let checked = self.snapshot.check_entity(entity)?;
        if self.builder.contains(&checked.key) {
            return Err(EntityError::Twice(checked.key));
        }
        Ok(self.builder.push(&Change::Put(checked.at(self.at)))?)
    }
}

fn read(snapshot: &Snapshot, form: LoadForm, at: Revision, body: Body) -> Result<EntityTable> {
    let mut building = Building { snapshot, at, builder: TableBuilder::default() };
    match form {
        LoadForm::Lines => read_lines(body, &mut building)?,
        LoadForm::Array => read_array(body, &mut building)?,
    }
    Ok(building.builder.finish(at)?)
}

fn read_lines(body: Body, building: &mut Building<'_>) -> Result<()> {
    let mut body = BufReader::new(body);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut body)
            .take(LINE_LIMIT + 1)
            .read_until(b'\n', &mut line)
            .map_err(|_| EntityError::BrokenOff)?;
        if read == 0 {
            break;
        }
        let at =
            |source: EntityError| EntityError::At { place: LoadPlace::Line(number), source: source.into() };
        if line.len() as u64 > LINE_LIMIT {
            return Err(at(EntityError::NotJson(format!("a line has at most {LINE_LIMIT} bytes"))));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entity =
            serde_json::from_slice(&line).map_err(|error| at(EntityError::NotJson(error.to_string())))?;
        building.take(&entity).map_err(at)?;
    }
    Ok(())
}

fn read_array(body: Body, building: &mut Building<'_>) -> Result<()> {
    let mut elements = Elements { building, wrong: None };
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(body));
    let read = reader.deserialize_seq(&mut elements).and_then(|()| reader.end());
    match (elements.wrong, read) {
        (Some(wrong), _) => Err(wrong),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(EntityError::BrokenOff),
        (None, Err(error)) => Err(EntityError::NotJson(error.to_string())),
    }
}

/// Takes the elements of an array one by one.
struct Elements<'a, 'b> {
    building: &'a mut Building<'b>,
    wrong: Option<EntityError>,
}

impl<'de> Visitor<'de> for &mut Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of entities")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(entity) = seq.next_element::<Value>()? {
            if let Err(source) = self.building.take(&entity) {
                self.wrong =
                    Some(EntityError::At { place: LoadPlace::Element(place), source: source.into() });
                return Err(A::Error::custom("an entity is wrong"));
            }
            place += 1;
        }
        Ok(())
    }
}
