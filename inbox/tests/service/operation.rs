//! What operators are given agrees with the program: alerts, manifests, the page's tables.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Store, event, program};

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that begin like this.
fn words(text: &str, beginning: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|word| word.starts_with(beginning)).map(str::to_owned).collect()
}

/// What a program that has relayed, refused and been read tells of itself.
async fn exposed() -> String {
    let store = Store::sqlite("exposed").unwrap();
    let service = store.start(&["--relay", "http://127.0.0.1:1/pay"]);
    service.send(event(1, "a")).await;
    service.read("?consumer=warehouse").await;
    service.get("/metrics").await.text().await.unwrap()
}

/// Each metric by the name that its `# TYPE` line gives.
fn names(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_name_metrics_and_labels_that_are_exposed() {
    let metrics = exposed().await;
    let all = names(&metrics);
    let mut watched = BTreeSet::new();
    let rules = documents("deploy/alerts.yaml").remove(0)["groups"][0]["rules"].as_array().unwrap().clone();
    for rule in &rules {
        let expression = rule["expr"].as_str().unwrap();
        let named = words(expression, "aifi_inbox_");
        assert!(!named.is_empty() && rule["annotations"]["summary"].is_string(), "{rule}");
        for name in named {
            assert!(
                metrics.contains(&format!("\n{name}{{")) || metrics.contains(&format!("\n{name} ")),
                "{name}"
            );
            watched.insert(name.trim_end_matches("_bucket").to_owned());
        }
        for (label, rest) in [("reason", "reason=~\""), ("outcome", "outcome=~\"")] {
            for values in expression.split(rest).skip(1) {
                for value in values.split('"').next().unwrap().split('|') {
                    assert!(metrics.contains(&format!("{label}=\"{value}\"")), "{label}={value}");
                }
            }
        }
    }
    assert_eq!(watched, all, "each metric has an alert");
    let reasons = metrics.lines().filter_map(|line| line.strip_prefix("aifi_inbox_refused_total{reason=\""));
    let text = file("deploy/alerts.yaml");
    for reason in reasons.map(|line| line.split('"').next().unwrap()).filter(|reason| *reason != "store") {
        assert!(text.contains(reason), "no alert for {reason}; `store` has AifiInboxStoreFails");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_each_metric() {
    let page = file("../docs/inbox.md");
    let all = names(&exposed().await);
    assert_eq!(words(&page, "aifi_inbox_"), all);
}

#[test]
fn settings_in_manifests_are_those_of_the_program() {
    let output = program().args(["serve", "--help"]).output().unwrap();
    let settings = words(&String::from_utf8(output.stdout).unwrap(), "AIFI_INBOX_");
    assert!(settings.contains("AIFI_INBOX_TOKENS"));
    for path in ["deploy/compose.yaml", "deploy/kubernetes.yaml", "../docs/inbox.md", "Dockerfile"] {
        let mut named = words(&file(path), "AIFI_INBOX_");
        // Of the compose file and of the tests' page alone.
        for own in ["AIFI_INBOX_DATABASE_PASSWORD", "AIFI_INBOX_KILLS", "AIFI_INBOX_EVENTS"] {
            named.remove(own);
        }
        let unknown: Vec<_> = named.difference(&settings).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn the_compose_file_keeps_to_the_rules() {
    let compose = documents("deploy/compose.yaml").remove(0);
    let inbox = &compose["services"]["inbox"];
    assert_eq!((&inbox["read_only"], &inbox["user"]), (&Value::from(true), &Value::from("1000:1000")));
    assert_eq!(inbox["cap_drop"], serde_json::json!(["ALL"]));
    assert!(inbox["ports"][0].as_str().unwrap().starts_with("127.0.0.1:"), "TLS is in front of it");
    assert_eq!(inbox["depends_on"]["postgres"]["condition"], "service_healthy");
    for volume in compose["services"].as_object().unwrap().values().map(|service| &service["volumes"][0]) {
        let name = volume.as_str().unwrap().split(':').next().unwrap();
        assert!(compose["volumes"].as_object().unwrap().contains_key(name), "{name}");
    }
}

#[test]
fn the_manifest_keeps_to_the_rules() {
    let all = documents("deploy/kubernetes.yaml");
    let of =
        |kind: &str| all.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("{kind}"));
    let set = of("StatefulSet");
    let (spec, pod) = (&set["spec"], &set["spec"]["template"]["spec"]);
    let container = &pod["containers"][0];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(of("PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let label = serde_json::json!({"app.kubernetes.io/name": "aifi-inbox"});
    for labels in [
        &spec["selector"]["matchLabels"],
        &spec["template"]["metadata"]["labels"],
        &of("Service")["spec"]["selector"],
        &of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(labels, &label);
    }
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
        (&true.into(), &1000.into())
    );
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    for (probe, path) in [
        ("startupProbe", "/health/live"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
    }
    assert_eq!(container["envFrom"][0]["secretRef"]["name"], of("Secret")["metadata"]["name"]);
    assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(30 + 20 + 10), "the longest calls can end");
    let version = format!(":{}", env!("CARGO_PKG_VERSION"));
    assert!(container["image"].as_str().unwrap().ends_with(&version));
}
