//! The families as Prometheus reads them: the text exposition format, version 0.0.4.

use std::fmt::Write as _;

use super::{Family, Kind};

/// The page of all families.
pub(super) fn page(families: &[Family]) -> String {
    let mut page = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let name = family.prometheus;
        let _ = writeln!(page, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        for point in &family.points {
            let labels: Vec<_> = point
                .labels
                .iter()
                .map(|(label, value)| format!("{}=\"{}\"", plain(label), quoted(value)))
                .collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(page, "{name}{labels} {}", point.value);
        }
    }
    page
}

/// Prometheus knows no dots in names.
fn plain(label: &str) -> String {
    label.replace('.', "_")
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;

    #[test]
    fn a_family_is_its_help_its_type_and_its_numbers() {
        let point = |name: &str, value| Point {
            labels: vec![("txco.secret.name", name.to_owned()), ("outcome", "ok".to_owned())],
            value,
        };
        let family = Family {
            name: "chassis.secret.materialize",
            prometheus: "chassis_secret_materialize_total",
            unit: "1",
            help: "References.",
            kind: Kind::Counter,
            points: vec![point("A", 2.0), point("q\"\\\n", 0.5)],
        };
        let gauge = Family {
            name: "g",
            prometheus: "g",
            unit: "1",
            help: "G.",
            kind: Kind::Gauge,
            points: Point::bare(7.0),
        };
        let expected = "# HELP chassis_secret_materialize_total References.\n\
                        # TYPE chassis_secret_materialize_total counter\n\
                        chassis_secret_materialize_total{txco_secret_name=\"A\",outcome=\"ok\"} 2\n\
                        chassis_secret_materialize_total{txco_secret_name=\"q\\\"\\\\\\n\",outcome=\"ok\"} 0.5\n\
                        # HELP g G.\n# TYPE g gauge\ng 7\n";
        assert_eq!(page(&[family, gauge]), expected);
    }
}
