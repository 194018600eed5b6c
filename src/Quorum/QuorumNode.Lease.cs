using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <content>
/// The times of a primary view (invariant I31; docs/protocol/deviations.md, D19). A later primary view without this node has a member that was in this
/// one, and left it before that view was formed: after it last handled the token. So nobody outside waits longer than a lease from the moment at which this
/// node handed the token over that came back to it, and whoever becomes primary waits a lease, and a margin for clocks that run unlike, before it is exclusive.
/// </content>
public sealed partial class QuorumNode
{
    private QuorumLease? _lease;
    private RingId _confirmed;
    private Instant _confirmedSince;
    private bool _cameWhole;
    private Instant? _carried;

    /// <summary>How long a new primary view waits before it is exclusive.</summary>
    private TimeSpan ExclusiveDelay => _options.Lease + (_options.Lease / QuorumOptions.ClockMargin);

    /// <summary>Every member of a ring has handled its token after an instant: a lease of its view lasts from then.</summary>
    public void OnRingConfirmed(RingId ring, Instant since)
    {
        (_confirmed, _confirmedSince) = (ring, since);
        if (_lease is not null) Renew(_lease);
    }

    /// <summary>A regular view ends: whether all its members go over to the next one together.</summary>
    private void NoteWhoComes(View transitional) => _cameWhole = transitional.Left.Count == 0;

    /// <summary>A regular view begins. Only who comes with all members of a primary view, and directly, needs not wait again: none of them can have been in another one meanwhile.</summary>
    private void BeginLease(bool wasQuorate)
    {
        _carried = _cameWhole && wasQuorate && !_isSynchronizing ? _lease?.ExclusiveFrom : null;
        _lease = null;
    }

    /// <summary>The verdict is there. A view that loses its quorum and gets it back (by the witness, by votes) begins anew: others may have had it meanwhile.</summary>
    private void SettleLease(Instant now, View view, bool isQuorate)
    {
        if (!isQuorate || !MayBeExclusive(view)) _lease = null;
        else if (_lease is null)
        {
            _lease = new QuorumLease(view, _carried ?? now + ExclusiveDelay);
            Renew(_lease);
        }

        _carried = null;
    }

    /// <summary>Where one node alone is quorate by its configuration, the other may be so too: no time is its own.</summary>
    private bool MayBeExclusive(View view) => _options.Mode != QuorumMode.TwoNode || view.Members.Count == _options.Voters.Count;

    private void Renew(QuorumLease lease)
    {
        if (lease.View.Id.Ring == _confirmed) lease.Renew(_confirmedSince + _options.Lease);
    }
}
