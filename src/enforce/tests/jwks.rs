use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;

/// RFC 8037 appendix A.2, with a name.
const DOCUMENT: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[derive(Debug, Default)]
struct Issuer {
    asked: AtomicUsize,
    gate: Notify,
}

impl Issuer {
    /// A key set whose fetches wait until they are let through.
    fn slow(self: &Arc<Self>) -> KeySet {
        let issuer = Arc::clone(self);
        KeySet::new(move || {
            let issuer = Arc::clone(&issuer);
            async move {
                issuer.asked.fetch_add(1, Ordering::SeqCst);
                issuer.gate.notified().await;
                Ok::<_, String>(DOCUMENT.to_owned())
            }
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn keys_of_others_are_passed_over() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let others = [
        r#"{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"}"#.to_owned(),
        format!(r#"{{"kty":"OKP","crv":"X25519","kid":"x","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"enc","use":"enc","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"alg","alg":"ES256","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
        r#"{"kty":"OKP","crv":"Ed25519","kid":"short","x":"AAAA"}"#.to_owned(),
        r#"{"kty":"oct","kid":"secret","k":"AAAA"}"#.to_owned(),
        "7".to_owned(),
    ];
    let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"A-_9","alg":"EdDSA","use":"sig","x":"{x}"}}"#);
    let keys = Keys::parse(&format!(r#"{{"keys":[{},{key}]}}"#, others.join(","))).unwrap();
    assert_eq!((keys.len(), keys.get("A-_9").is_some(), keys.get("a-_9").is_some()), (1, true, false));
    let alone = Keys::parse(&format!(r#"{{"keys":[{}]}}"#, others.join(",")));
    assert!(matches!(alone, Err(JwksError::NoKeys)));
    let twice = Keys::parse(&format!(r#"{{"keys":[{key},{key}]}}"#));
    assert_eq!(twice.unwrap_err().to_string(), "the issuer's keys name `A-_9` twice");
    for text in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#] {
        assert!(matches!(Keys::parse(text), Err(JwksError::Malformed(_))), "{text}");
    }
}

#[tokio::test]
async fn one_look_in_thirty_seconds_whatever_comes_of_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let keys = KeySet::new(move || {
        let document = match counter.fetch_add(1, Ordering::SeqCst) {
            0 | 3 => Err("offline"),
            1 => Ok("{}".to_owned()),
            _ => Ok(DOCUMENT.to_owned()),
        };
        async move { document }
    });
    assert!(matches!(keys.refresh_if_due(1_000).await, Err(JwksError::Fetch(_))));
    assert!(matches!(keys.refresh_if_due(30_999).await, Err(JwksError::Recently)), "an outage stays one");
    assert!(matches!(keys.refresh_if_due(31_000).await, Err(JwksError::Malformed(_))));
    assert!(keys.keys().is_empty());
    keys.refresh_if_due(61_000).await.unwrap();
    keys.refresh_if_due(61_001).await.unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), keys.keys().len()), (3, 1));
    assert!(matches!(keys.refresh(61_002).await, Err(JwksError::Fetch(_))));
    assert_eq!(keys.keys().len(), 1, "known keys stay");
    keys.refresh_if_due(0).await.unwrap(); // the clock was set back
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn many_wait_for_one_look_and_who_hangs_up_does_not_end_it() {
    let issuer = Arc::new(Issuer::default());
    let keys = issuer.slow();
    {
        let mut gone = Box::pin(keys.refresh_if_due(0));
        assert!(poll_fn(|context| Poll::Ready(gone.as_mut().poll(context).is_pending())).await);
    }
    let release = async { issuer.gate.notify_one() };
    let (one, two, ()) = tokio::join!(keys.refresh_if_due(10), keys.refresh_if_due(10), release);
    one.unwrap();
    two.unwrap();
    assert_eq!((issuer.asked(), keys.keys().len()), (1, 1));
}

#[tokio::test]
async fn a_fetch_that_panics_is_not_polled_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let keys = Arc::new(KeySet::new(move || {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { panic!("on purpose") } else { Ok::<_, String>(DOCUMENT.to_owned()) } }
    }));
    let task = Arc::clone(&keys);
    #[expect(clippy::disallowed_methods, reason = "a task is what contains a panic")]
    let panicked = tokio::spawn(async move { task.refresh_if_due(0).await }).await;
    assert!(panicked.is_err());
    assert!(matches!(keys.refresh_if_due(1).await, Err(JwksError::Recently)));
    keys.refresh_if_due(30_000).await.unwrap();
}
