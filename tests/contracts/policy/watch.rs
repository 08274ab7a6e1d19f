//! The watched folder, step by step.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bailiwick::policy::{
    Bundle, FolderError, FolderWatch, Health, Severity, Source, read_folder, shipped, shipped_stores,
    stores_in,
};
use tempfile::TempDir;

use super::{Server, app, broken, bundle};
use crate::{both, support::TestDb};

/// A server with a watched folder.
struct Desk {
    server: Server,
    watch: FolderWatch,
    dir: TempDir,
}

impl Desk {
    async fn new(test: &TestDb) -> Self {
        let dir = TempDir::new().unwrap();
        write(&dir.path().join("app"), &bundle("a"));
        let mut desk = Self::over(test, dir).await;
        desk.watch.start().await;
        desk
    }

    /// A server that starts over a folder which may have been edited while none ran.
    async fn over(test: &TestDb, dir: TempDir) -> Self {
        let server = Server::start(test.second().await, 1);
        server.live.refresh().await.unwrap();
        let watch =
            FolderWatch::new(Arc::clone(&server.service), dir.path().to_owned(), Duration::from_millis(300));
        Self { server, watch, dir }
    }

    async fn restart(self, test: &TestDb) -> Self {
        let mut desk = Self::over(test, self.dir).await;
        desk.watch.start().await;
        desk
    }

    fn app(&self) -> PathBuf {
        self.dir.path().join("app")
    }

    /// Edits the folder and looks until the edit has settled.
    async fn edit(&mut self, bundle: &Bundle) {
        write(&self.app(), bundle);
        self.settle().await;
    }

    async fn settle(&mut self) {
        self.watch.tick().await;
        self.watch.tick().await;
    }

    /// Live version, number of versions, health.
    async fn state(&self) -> (i64, i64, Health) {
        let health = self.server.service.status(&app()).await.unwrap().health;
        (self.server.answers_from(), self.server.rows("policy_versions").await, health)
    }
}

fn write(folder: &Path, bundle: &Bundle) {
    for (path, bytes) in bundle.files() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

both! {
    async fn an_edit_is_live_when_it_has_settled(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        assert_eq!(desk.state().await, (1, 1, Health::Ok), "a store without a version gets its first");
        write(&desk.app(), &bundle("edited"));
        desk.watch.tick().await;
        assert_eq!(desk.server.answers_from(), 1, "an edit is not taken before two looks agree");
        desk.watch.tick().await;
        assert_eq!(desk.state().await, (2, 2, Health::Ok));
        let status = desk.server.service.status(&app()).await.unwrap();
        let by = status.active.unwrap().by;
        assert_eq!(by.actor, "folder");
        assert!(by.reason.starts_with("edited in "));
        assert_eq!(status.source, Source::Folder(desk.app()));
    }

    async fn a_broken_edit_keeps_the_last_good_version(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        desk.edit(&broken()).await;
        assert_eq!(desk.state().await, (1, 1, Health::Degraded));
        let findings = desk.server.service.status(&app()).await.unwrap().findings;
        let finding = findings.iter().next().unwrap();
        assert_eq!((finding.file.as_str(), finding.severity), ("view.cedar", Severity::Error));
        assert!(finding.line.is_some() && finding.column.is_some());
        desk.edit(&bundle("fixed")).await;
        assert_eq!(desk.state().await, (2, 2, Health::Ok));
        desk.edit(&broken()).await;
        desk.edit(&bundle("fixed")).await;
        assert_eq!(desk.state().await, (2, 2, Health::Ok), "taking the mistake back is enough");
    }

    async fn an_emptied_folder_changes_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        for (damage, code) in [("view.cedar", "empty"), ("", "folder_missing")] {
            if damage.is_empty() {
                fs::remove_dir_all(desk.app()).unwrap();
            } else {
                fs::remove_file(desk.app().join(damage)).unwrap();
            }
            desk.settle().await;
            assert_eq!(desk.state().await, (1, 1, Health::Degraded));
            let findings = desk.server.service.status(&app()).await.unwrap().findings;
            assert_eq!(findings.iter().next().unwrap().code, code);
        }
        desk.edit(&bundle("a")).await;
        assert_eq!(desk.state().await, (1, 1, Health::Ok), "mounted again, nothing happened");
    }

    async fn known_content_switches_back_to_its_version(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        desk.edit(&bundle("second")).await;
        desk.edit(&bundle("a")).await;
        assert_eq!(desk.state().await, (1, 2, Health::Ok));
    }

    async fn a_roll_back_stays_until_the_next_edit(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        desk.edit(&bundle("second")).await;
        desk.server.roll_back(None).await.unwrap();
        desk.settle().await;
        desk.edit(&bundle("second")).await; // saved again, without a change
        assert_eq!(desk.state().await, (1, 2, Health::Ok));
        desk = desk.restart(&test).await;
        desk.settle().await;
        assert_eq!(desk.state().await, (1, 2, Health::Ok), "a roll-back survives a restart");
        desk.edit(&bundle("the third")).await;
        assert_eq!(desk.state().await, (3, 3, Health::Ok));
    }

    async fn what_was_edited_while_down_is_taken_at_the_start(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        write(&desk.app(), &bundle("overnight"));
        desk = desk.restart(&test).await;
        assert_eq!(desk.state().await, (2, 2, Health::Ok));
        write(&desk.app(), &broken());
        desk = desk.restart(&test).await;
        assert_eq!(desk.state().await, (2, 2, Health::Degraded));
        desk.edit(&bundle("a")).await;
        assert_eq!(desk.state().await, (1, 2, Health::Ok), "an edit while running, though to known content");
    }

    async fn an_edit_during_an_outage_waits(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let mut desk = Desk::new(&test).await;
        desk.server.db.close().await;
        desk.edit(&bundle("waiting")).await;
        assert_eq!(desk.server.answers_from(), 1);
        desk = desk.restart(&test).await;
        assert_eq!(desk.state().await, (2, 2, Health::Ok));
    }

    /// Without the watch, folders serve a first start only.
    async fn a_first_start_takes_the_folders_once(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let dir = TempDir::new().unwrap();
        write(&dir.path().join("app"), &bundle("a"));
        let server = Server::start(test.db.clone(), 1);
        server.service.first_start(dir.path()).await.unwrap();
        assert_eq!(server.answers_from(), 1);
        write(&dir.path().join("app"), &bundle("edited"));
        server.service.first_start(dir.path()).await.unwrap();
        assert_eq!(server.answers_from(), 1);
        write(&dir.path().join("other"), &broken());
        server.service.first_start(dir.path()).await.unwrap();
        let other = server.service.status(&"other".parse().unwrap()).await;
        assert!(other.is_ok_and(|status| status.health == Health::Degraded && status.active.is_none()));
    }
}

#[test]
fn only_policy_files_are_read() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), &bundle("a"));
    for stray in
        [".hidden.cedar", "view.cedar~", ".view.cedar.swp", "view.cedar.tmp", "#view.cedar#", "notes.txt"]
    {
        fs::write(dir.path().join(stray), "not a policy").unwrap();
    }
    fs::create_dir(dir.path().join(".git")).unwrap();
    fs::write(dir.path().join(".git/x.cedar"), "not a policy").unwrap();
    assert_eq!(read_folder(dir.path()).unwrap().digest(), bundle("a").digest());
}

#[cfg(unix)]
#[test]
fn links_stay_inside() {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::symlink},
    };
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(dir.path(), &bundle("a"));
    symlink("view.cedar", dir.path().join("again.cedar")).unwrap();
    assert_eq!(read_folder(dir.path()).unwrap().files().count(), 4);
    let link = dir.path().join("link.cedar");
    fs::write(outside.path().join("x.cedar"), "").unwrap();
    for target in [outside.path().join("x.cedar"), outside.path().to_owned(), PathBuf::from("nowhere")] {
        symlink(target, &link).unwrap();
        assert_eq!(read_folder(dir.path()).unwrap_err(), FolderError::Link("link.cedar".to_owned()));
        fs::remove_file(&link).unwrap();
    }
    fs::write(dir.path().join(OsStr::from_bytes(b"\xff.cedar")), "").unwrap();
    assert!(matches!(read_folder(dir.path()), Err(FolderError::Name(_))));
}

/// The build embeds what the folder is read as.
#[test]
fn the_shipped_stores_are_the_folders_of_the_source() {
    let folders = stores_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))).unwrap();
    assert_eq!(shipped_stores(), folders.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    for (name, folder) in folders {
        assert_eq!(shipped(&name).unwrap().digest(), read_folder(&folder).unwrap().digest());
    }
}

#[test]
fn stores_are_folders_with_a_name() {
    let dir = TempDir::new().unwrap();
    for name in ["system", "app", ".git", "Not-a-store"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("readme"), "").unwrap();
    let names: Vec<_> =
        stores_in(dir.path()).unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["app", "system"]);
    assert!(matches!(stores_in(&dir.path().join("gone")), Err(FolderError::Missing(_))));
}
