//! One statement, bound and run on either database.

use std::borrow::Cow;

use futures_util::{StreamExt, stream::BoxStream};
use sqlx::{
    Arguments, AssertSqlSafe, Database, Decode, Encode, FromRow, Pool, Postgres, Sqlite, Type,
    error::BoxDynError,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{Db, Result, StorageError, Tx};

/// Declares a trait that is only a name for a longer bound.
macro_rules! alias {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? = $($bound:tt)+) => {
        $(#[$doc])* pub trait $name $(<$life>)?: $($bound)+ {}
        impl<$($life,)? T: $($bound)+> $name $(<$life>)? for T {}
    };
}
alias! {
    /// A value both databases can bind; `'q` lasts for the call, its bytes are copied.
    Bind<'q> = Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres>
}
alias! {
    /// A row either database can yield: what `#[derive(sqlx::FromRow)]` and tuples give.
    Row = for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
}
alias! {
    /// A column either database can yield.
    Cell = for<'r> Decode<'r, Sqlite> + Type<Sqlite>
        + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin + 'static
}

/// Where a statement may run: `&mut tx` inside a transaction, `&mut &db` outside one.
pub trait Run: Send {
    /// Begins a statement. Its text is `'static`: nothing that a user sent can be in it.
    fn sql(&mut self, text: &'static str) -> Sql<'_>;
}

impl Run for Tx {
    fn sql(&mut self, text: &'static str) -> Sql<'_> {
        Sql::new(
            text,
            match self {
                Tx::Sqlite(tx) => On::Sqlite(Via::Connection(&mut **tx), SqliteArguments::default()),
                Tx::Postgres(tx) => On::Postgres(Via::Connection(&mut **tx), PgArguments::default()),
            },
        )
    }
}

impl Run for &Db {
    fn sql(&mut self, text: &'static str) -> Sql<'_> {
        Db::sql(self, text)
    }
}

enum Via<'x, D: Database> {
    Pool(&'x Pool<D>),
    Connection(&'x mut D::Connection),
}

enum On<'x> {
    Sqlite(Via<'x, Sqlite>, SqliteArguments),
    Postgres(Via<'x, Postgres>, PgArguments),
}

impl On<'_> {
    fn arity(&self) -> usize {
        match self {
            On::Sqlite(_, arguments) => arguments.len(),
            On::Postgres(_, arguments) => arguments.len(),
        }
    }
}

/// A statement under construction: bind its values in order, then run it.
#[must_use = "a statement does nothing until it is run"]
pub struct Sql<'x> {
    text: Cow<'static, str>,
    on: On<'x>,
    fault: Option<BoxDynError>,
}

impl std::fmt::Debug for Sql<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sql").field(&self.text).finish() // never the values
    }
}

/// `$body` with `$query`, sqlx's query for the database at hand, and `$on`, its executor.
macro_rules! dispatch {
    ($sql:expr, $make:expr, |$query:ident, $on:ident| $body:expr) => {{
        let Sql { text, on, fault } = $sql;
        check_arity(&text, &on, fault)?;
        let keep = matches!(text, Cow::Borrowed(_)); // built texts would flush the statement cache
        let text = AssertSqlSafe(text);
        match on {
            On::Sqlite(Via::Pool($on), args) => {
                let $query = $make(text, args).persistent(keep);
                $body
            }
            On::Sqlite(Via::Connection($on), args) => {
                let $query = $make(text, args).persistent(keep);
                $body
            }
            On::Postgres(Via::Pool($on), args) => {
                let $query = $make(text, args).persistent(keep);
                $body
            }
            On::Postgres(Via::Connection($on), args) => {
                let $query = $make(text, args).persistent(keep);
                $body
            }
        }
    }};
}

impl<'x> Sql<'x> {
    fn new(text: &'static str, on: On<'x>) -> Self {
        Self { text: Cow::Borrowed(text), on, fault: None }
    }

    pub(super) fn on_sqlite_pool(text: &'static str, pool: &'x Pool<Sqlite>) -> Self {
        Self::new(text, On::Sqlite(Via::Pool(pool), SqliteArguments::default()))
    }

    pub(super) fn on_postgres_pool(text: &'static str, pool: &'x Pool<Postgres>) -> Self {
        Self::new(text, On::Postgres(Via::Pool(pool), PgArguments::default()))
    }

    /// Binds the next `$n`.
    pub fn bind<'q>(mut self, value: impl Bind<'q>) -> Self {
        let added = match &mut self.on {
            On::Sqlite(_, arguments) => arguments.add(value),
            On::Postgres(_, arguments) => arguments.add(value),
        };
        if let Err(error) = added {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// Appends fixed SQL.
    pub fn push(mut self, text: &'static str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Appends `$n, $n+1, …` and binds the values, for `… IN (` list `)`. No values: `NULL`.
    pub fn list<'q, T: Bind<'q>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        let mut separator = "$";
        for value in values {
            self = self.bind(value);
            let n = self.on.arity().to_string();
            self.text.to_mut().extend([separator, &n]);
            separator = ", $";
        }
        if separator == "$" { self.push("NULL") } else { self }
    }

    /// Runs it and answers the number of rows changed.
    pub async fn run(self) -> Result<u64> {
        dispatch!(self, sqlx::query_with, |query, on| Ok(query.execute(on).await?.rows_affected()))
    }

    /// Runs it and answers its first row, if there is one.
    pub async fn optional<T: Row>(self) -> Result<Option<T>> {
        dispatch!(self, sqlx::query_as_with::<_, T, _>, |query, on| Ok(query.fetch_optional(on).await?))
    }

    /// Runs it and answers its one row.
    ///
    /// Errors: [`Fault::NoRow`](super::Fault::NoRow) when there is none.
    pub async fn one<T: Row>(self) -> Result<T> {
        dispatch!(self, sqlx::query_as_with::<_, T, _>, |query, on| Ok(query.fetch_one(on).await?))
    }

    /// Runs it and answers all its rows.
    pub async fn all<T: Row>(self) -> Result<Vec<T>> {
        dispatch!(self, sqlx::query_as_with::<_, T, _>, |query, on| Ok(query.fetch_all(on).await?))
    }

    /// Runs it and answers the one column of its one row.
    pub async fn scalar<T: Cell>(self) -> Result<T> {
        self.one::<(T,)>().await.map(|(value,)| value)
    }

    /// Runs it and answers its rows as they come.
    pub fn stream<T: Row>(self) -> Result<BoxStream<'x, Result<T>>> {
        dispatch!(self, sqlx::query_as_with::<_, T, _>, |query, on| Ok(query
            .fetch(on)
            .map(|row| row.map_err(StorageError::from))
            .boxed()))
    }
}

/// SQLite reads an unbound `$n` as NULL without a word; Postgres refuses. Refuse on both.
fn check_arity(text: &str, on: &On<'_>, fault: Option<BoxDynError>) -> Result<(), sqlx::Error> {
    if let Some(error) = fault {
        return Err(sqlx::Error::Encode(error));
    }
    let number = |tail: &str| {
        let digits: String = tail.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let wanted = text.split('$').skip(1).map(number).max().unwrap_or(0);
    match on.arity() {
        bound if bound == wanted => Ok(()),
        bound => Err(sqlx::Error::Encode(format!("{wanted} values wanted, {bound} bound: {text}").into())),
    }
}
