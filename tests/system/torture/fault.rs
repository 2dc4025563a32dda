//! What can go wrong.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// An `ingest` is killed and started again.
    IngestKilled,
    /// An `ingest` hears nothing until its group has given it up, and then goes on as if nothing were.
    IngestStopped,
    /// An `ingest` is asked to end, and started again.
    IngestRestarted,
    /// A third member joins the group and leaves it.
    GroupRebalanced,
    /// The ClickHouse process is killed and started again.
    ClickHouseKilled,
    /// The ClickHouse process hears nothing for a while.
    ClickHouseStopped,
    /// The ClickHouse process is asked to end, and started again.
    ClickHouseRestarted,
    /// Connections to ClickHouse are cut, and refused for a while.
    ClickHouseCut,
    /// What goes to ClickHouse and comes from it takes its time.
    ClickHouseSlow,
    /// Connections to ClickHouse stay, and nothing comes through.
    ClickHouseSilent,
    /// The broker is killed and started again.
    BrokerKilled,
    /// The broker hears nothing for a while.
    BrokerStopped,
    /// The broker is asked to end, and started again.
    BrokerRestarted,
    /// Connections to the broker are cut, and refused for a while.
    BrokerCut,
    /// What goes to the broker and comes from it takes its time.
    BrokerSlow,
    /// Connections to the broker stay, and nothing comes through.
    BrokerSilent,
}

impl Fault {
    /// Every kind.
    pub(crate) const ALL: [Self; 16] = [
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
    ];
}
