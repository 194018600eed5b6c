using System.Diagnostics;
using System.Net;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Membership.Daemon.Ring;
using Membership.Links;

namespace Membership.Daemon.Tests.Ring;

/// <summary>Paths that loopback's 64 KiB do not show, in a network namespace that the test's own thread makes and takes with it.</summary>
public sealed partial class SegmentationTests
{
    private const int NewNetwork = 0x4000_0000;

    [RootFact("enters a network namespace")]
    public void Segments_longer_than_the_device_takes_are_counted_and_the_shorter_rest_arrives()
    {
        InNamespace(mtu: 1500, () =>
        {
            using var pair = new Ends();

            pair.First.Transmit(new LinkId(0), NodeSet.Of(1), new byte[(3 * 2000) + 500], 2000);

            Assert.Equal([500], pair.LengthsAtSecond(1));
            Assert.Equal(3, pair.First.Counters[0].SendTooLong);
            Assert.Equal(1, pair.First.Counters[0].DatagramsSent);
        });
    }

    [RootFact("enters a network namespace")]
    public void Being_too_long_once_does_not_give_up_segmentation()
    {
        InNamespace(mtu: 1500, () =>
        {
            using var pair = new Ends();
            pair.First.Transmit(new LinkId(0), NodeSet.Of(1), new byte[2 * 2000], 2000);
            var calls = pair.First.Counters[0].SendCalls;

            pair.First.Transmit(new LinkId(0), NodeSet.Of(1), new byte[20 * 1400], 1400);

            Assert.Equal(Enumerable.Repeat(1400, 20), pair.LengthsAtSecond(20));
            Assert.Equal(1, pair.First.Counters[0].SendCalls - calls);
        });
    }

    [RootFact("enters a network namespace")]
    public void A_network_without_a_way_is_counted_as_unreachable_and_other_peers_get_theirs()
    {
        InNamespace(mtu: 1500, () =>
        {
            using var pair = new Ends(extra: new IPEndPoint(IPAddress.Parse("203.0.113.1"), 5405));

            pair.First.Transmit(new LinkId(0), NodeSet.Of(1).With(2), new byte[10 * 100], 100);

            Assert.Equal(10, pair.LengthsAtSecond(10).Count);
            Assert.Equal(10, pair.First.Counters[0].SendUnreachable);
            Assert.Equal(10, pair.First.Counters[0].DatagramsSent);
        });
    }

    /// <summary>Runs on a thread of its own that enters a fresh network namespace; the namespace ends with the thread and its sockets.</summary>
    private static void InNamespace(int mtu, Action test)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Assert.True(Unshare(NewNetwork) == 0, $"unshare: errno {Marshal.GetLastPInvokeError()}");
                using var ip = Process.Start("ip", ["link", "set", "lo", "up", "mtu", mtu.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
                ip.WaitForExit();
                Assert.Equal(0, ip.ExitCode);
                test();
            }
            catch (Exception error)
            {
                failure = error;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);

    private sealed class Ends : IDatagramReader, IDisposable
    {
        private readonly DatagramIo _second;
        private readonly List<int> _lengths = [];

        public Ends(IPEndPoint? extra = null)
        {
            List<RingPeer> peers = [.. new byte[] { 1, 2 }.Select(id => new RingPeer(new NodeId(id), [new IPEndPoint(new IPAddress([127, 0, 0, id]), 5405)]))];
            if (extra is not null) peers.Add(new RingPeer(new NodeId(3), [extra]));
            var nodes = new NodeTable(peers.Select(peer => peer.Node));
            First = new DatagramIo(nodes, new RingHostOptions { Peers = peers, Self = new NodeId(1) }, null);
            _second = new DatagramIo(nodes, new RingHostOptions { Peers = peers, Self = new NodeId(2) }, null);
            First.Open(default, this);
            _second.Open(default, this);
        }

        public DatagramIo First { get; }

        public List<int> LengthsAtSecond(int count)
        {
            using var poll = new PollSet(1);
            DatagramIoTests.Until(() => _lengths.Count >= count, () =>
            {
                poll.Clear();
                _second.AddTo(poll);
                poll.Wait(1_000_000);
                _second.Receive(poll, this);
            });
            return _lengths;
        }

        public void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram) => _lengths.Add(datagram.Length);

        public void OnBatchEnd()
        {
        }

        public void OnFact(RingHostFact fact)
        {
        }

        public void Dispose()
        {
            First.Dispose();
            _second.Dispose();
        }
    }
}
