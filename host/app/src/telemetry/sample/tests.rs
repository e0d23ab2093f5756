use super::*;

#[test]
fn a_guest_that_makes_up_names_makes_no_new_series() {
    let mut samples = Samples::default();
    for number in 0..10_000 {
        let tool = format!("tool-{number}");
        samples.put(Metric::Tool, 0.1, &[("gen_ai.tool.name", &tool)]);
    }
    let series: BTreeSet<&Labels> = samples.list.iter().map(|it| &it.labels).collect();
    assert_eq!(series.len(), NAMES + 1);
    let other = vec![("gen_ai.tool.name", "other".to_owned())];
    assert!(series.contains(&other));
    samples.put(Metric::Tool, 0.1, &[("gen_ai.agent.name", "a\n\u{1b}[31m")]);
    let last = &samples.list.last().unwrap().labels[0].1;
    assert_eq!(last, "a\\n\\u{1b}[31m");
}
