//! The families as OpenTelemetry takes them: OTLP 1.x over HTTP, binary Protobuf, cumulative.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use egress::{OtlpClient, OtlpError};

use super::protobuf::{Message, key_value, nanos, resource as resource_of, scope};
use super::{Family, Kind, Meter, Point};
use crate::config::Otel;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: nothing is lost when one sending fails.
const CUMULATIVE: u64 = 2;

/// Why metrics are not exported.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct ExporterError(#[from] OtlpError);

/// Sends the numbers to a collector, again and again.
pub(crate) struct Exporter {
    meter: Arc<Meter>,
    client: OtlpClient,
    resource: Vec<(String, String)>,
    interval: Duration,
}

impl Exporter {
    /// An exporter to the collector of `otel`.
    ///
    /// # Errors
    /// [`ExporterError`]: an endpoint or a header that is none.
    pub(crate) fn new(meter: Arc<Meter>, otel: Otel) -> Result<Self, ExporterError> {
        let client = OtlpClient::new(&otel.endpoint, &otel.headers, otel.timeout)?;
        Ok(Self { meter, client, resource: otel.resource, interval: otel.interval })
    }

    /// Exports for as long as it is polled. Only the first failure in a row is logged.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut failing = false;
        loop {
            tokio::time::sleep(self.interval).await;
            let sent = self.send().await;
            match (&sent, failing) {
                (Ok(()), true) => tracing::info!("metrics are exported again"),
                (Err(error), false) => tracing::warn!(%error, "metrics could not be exported"),
                (Ok(()), false) | (Err(_), true) => {}
            }
            failing = sent.is_err();
        }
    }

    /// Sends the numbers once.
    ///
    /// # Errors
    /// [`OtlpError`].
    pub(crate) async fn send(&self) -> Result<(), OtlpError> {
        let meter = Arc::clone(&self.meter);
        let families = tokio::task::spawn_blocking(move || meter.read()).await.unwrap_or_default();
        let body = request(&families, &self.resource, self.meter.started(), SystemTime::now());
        self.client.send(body).await
    }
}

/// `ExportMetricsServiceRequest`.
fn request(
    families: &[Family],
    resource: &[(String, String)],
    started: SystemTime,
    now: SystemTime,
) -> Vec<u8> {
    let mut scope_metrics = Message::default();
    scope_metrics.message(1, &scope());
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        scope_metrics.message(2, &metric(family, nanos(started), nanos(now)));
    }
    let mut resource_metrics = Message::default();
    resource_metrics.message(1, &resource_of(resource)).message(2, &scope_metrics);
    let mut request = Message::default();
    request.message(1, &resource_metrics);
    request.into_bytes()
}

fn metric(family: &Family, started: u64, now: u64) -> Message {
    let mut data = Message::default();
    for point in &family.points {
        data.message(1, &data_point(point, started, now));
    }
    let mut metric = Message::default();
    metric.text(1, family.name).text(2, family.help).text(3, family.unit);
    match family.kind {
        Kind::Gauge => metric.message(5, &data),
        Kind::Counter => metric.message(7, data.number(2, CUMULATIVE).number(3, 1)),
    };
    metric
}

fn data_point(point: &Point, started: u64, now: u64) -> Message {
    let mut data_point = Message::default();
    data_point.fixed(2, started).fixed(3, now).fixed(4, point.value.to_bits());
    for (name, value) in &point.labels {
        data_point.message(7, &key_value(name, value));
    }
    data_point
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector was made by another implementation (`opentelemetry-proto` 1.45 for Python).
    #[test]
    fn a_request_is_what_collectors_read() {
        let family = |kind, points| Family {
            name: "chassis.secret.materialize",
            prometheus: "unused",
            unit: "1",
            help: "References.",
            kind,
            points,
        };
        let labels = vec![("txco.secret.name", "A".to_owned())];
        let families = [
            family(Kind::Counter, vec![Point { labels, value: 2.0 }]),
            family(Kind::Gauge, Point::bare(0.5)),
            family(Kind::Gauge, Vec::new()),
        ];
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let resource = [("service.name".to_owned(), "txco".to_owned())];
        let bytes = request(&families, &resource, at(1), at(200));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.replace(&version_hex(), "VERSION"), include_str!("otlp/request.hex").trim_end());
    }

    fn version_hex() -> String {
        env!("CARGO_PKG_VERSION").bytes().map(|byte| format!("{byte:02x}")).collect()
    }
}
