//! The feed of everything.

use crate::bench::Bench;

#[tokio::test]
async fn the_feed_gives_everything_in_order_from_any_place_on() {
    let bench = Bench::new().await;
    let empty = notification::feed(&bench.world, None, 10)
        .await
        .expect("it is read");
    assert!(empty.events.is_empty() && !empty.more);
    for number in 1..=5 {
        let execution = bench.start(number).await;
        if number == 1 {
            bench.fetch(execution, Err("no")).await;
        }
    }
    let all = notification::feed(&bench.world, None, 1_000)
        .await
        .expect("it is read");
    let all = all.events;
    let mut ids: Vec<&str> = all
        .iter()
        .filter_map(|(_, event)| event["id"].as_str())
        .collect();
    assert!(ids.len() >= 10, "{all:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    let texts: Vec<String> = all
        .iter()
        .map(|(position, _)| position.to_string())
        .collect();
    assert!(texts.is_sorted());
    for (place, text) in texts.iter().enumerate() {
        let since = text.parse().expect("it is a place");
        assert_eq!(since, all[place].0);
        let part = notification::feed(&bench.world, Some(since), 1_000).await;
        let part = part.expect("it is read");
        assert_eq!(part.events, all[place + 1..]);
        assert!(!part.more);
    }
    for limit in [0, 1, 2, 3, 7] {
        let (mut gathered, mut since) = (Vec::new(), None);
        for _ in 0..100 {
            let part = notification::feed(&bench.world, since, limit).await;
            let part = part.expect("it is read");
            assert!(part.events.len() <= limit.max(1));
            since = part.next;
            gathered.extend(part.events);
            if !part.more {
                break;
            }
        }
        assert_eq!(gathered, all);
    }
    let far = "999999999999.0".parse().expect("it is a place");
    let part = notification::feed(&bench.world, Some(far), 9)
        .await
        .expect("it is read");
    assert_eq!((part.events.len(), part.next), (0, Some(far)));
}

#[test]
fn a_place_is_two_numbers_and_nothing_else() {
    let place: notification::Position = "12.3".parse().expect("it is a place");
    assert_eq!(place.to_string(), "000000000012.0003");
    assert_eq!("000000000012.0003".parse(), Ok(place));
    for text in [
        "",
        "12",
        "12.",
        ".3",
        "+12.3",
        "12.+3",
        "12.3.4",
        " 12.3",
        "12.-1",
        "a.b",
        "18446744073709551616.0",
        "1.4294967296",
        "1,2",
        "１.２",
    ] {
        let error = text.parse::<notification::Position>().expect_err(text);
        assert!(error.to_string().contains("COMMIT.INDEX"));
    }
}
