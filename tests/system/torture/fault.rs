//! What can go wrong.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// An `ingest` is killed and started again.
    IngestKilled,
    /// An `ingest` is suspended until its group has removed it, and resumed.
    IngestStopped,
    /// An `ingest` is asked to end, and started again.
    IngestRestarted,
    /// A third member joins the group and leaves it.
    GroupRebalanced,
    /// The ClickHouse process is killed and started again.
    ClickHouseKilled,
    /// The ClickHouse process is suspended for a while.
    ClickHouseStopped,
    /// The ClickHouse process is asked to end, and started again.
    ClickHouseRestarted,
    /// Connections to ClickHouse are cut, and refused for a while.
    ClickHouseCut,
    /// The connection to ClickHouse is slow.
    ClickHouseSlow,
    /// Connections to ClickHouse stay open, and carry nothing.
    ClickHouseSilent,
    /// The broker is killed and started again.
    BrokerKilled,
    /// The broker is suspended for a while.
    BrokerStopped,
    /// The broker is asked to end, and started again.
    BrokerRestarted,
    /// Connections to the broker are cut, and refused for a while.
    BrokerCut,
    /// The connection to the broker is slow.
    BrokerSlow,
    /// Connections to the broker stay open, and carry nothing.
    BrokerSilent,
    /// While no `ingest` runs and all is settled, the second half of each log is lost.
    LogTruncated,
    /// While no `ingest` runs and all is settled, the topic is deleted and created again.
    TopicRecreated,
}

impl Fault {
    /// Every kind.
    pub(crate) const ALL: &[Self] = &[
        Self::IngestKilled,
        Self::IngestStopped,
        Self::IngestRestarted,
        Self::GroupRebalanced,
        Self::ClickHouseKilled,
        Self::ClickHouseStopped,
        Self::ClickHouseRestarted,
        Self::ClickHouseCut,
        Self::ClickHouseSlow,
        Self::ClickHouseSilent,
        Self::BrokerKilled,
        Self::BrokerStopped,
        Self::BrokerRestarted,
        Self::BrokerCut,
        Self::BrokerSlow,
        Self::BrokerSilent,
        Self::LogTruncated,
        Self::TopicRecreated,
    ];

    /// Whether it loses records: everything must be settled before, and nothing be published meanwhile.
    pub(crate) const fn loses_records(self) -> bool {
        matches!(self, Self::LogTruncated | Self::TopicRecreated)
    }
}
