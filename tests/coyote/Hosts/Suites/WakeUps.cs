using Grpc.Core;
using Membership.Cpg;
using Membership.Daemon;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Exploration.Hosts.Steering;
using Membership.Explorer;
using Membership.Links;
using Membership.Totem;

namespace Membership.Exploration.Hosts.Suites;

/// <summary>The lock-free meetings of the ring thread with the others, small enough for every order of their accesses.</summary>
/// <remarks>
/// Invariant: whoever reads sees each record once and in order; who has entered a gate is waited for; nobody enters a closed one.
/// Liveness: nobody sleeps through what was left for him: when all writers have ended, all readers end too.
/// </remarks>
internal static class WakeUps
{
    // Every order with so many overtakings; fewer where more threads meet.
    private const int Preemptions = 3;
    private const int PreemptionsOfMany = 2;

    /// <summary>A signal is raised by two threads while a third arms it, looks, and waits.</summary>
    public static void Signal(IExploration exploration) => Run(exploration, world =>
    {
        var signal = new BatchSignal();
        var published = 0;
        Fiber waiter = null!;   // set below, before it runs
        void Publish()
        {
            Interlocked.Increment(ref published);
            signal.Raise();
        }

        waiter = world.StartThread("waiter", () =>
        {
            while (true)
            {
                var armed = signal.Arm();
                if (Volatile.Read(ref published) == 2) return;
                waiter.Await(armed);
            }
        });
        return [waiter, world.StartThread("first", Publish), world.StartThread("second", Publish)];
    });

    /// <summary>The ring thread adds records in batches while a session refreshes, reads and waits.</summary>
    public static void Reader(IExploration exploration) => Run(exploration, world =>
    {
        const int Batches = 3;   // after the one that could be read twice, another
        var log = new GroupLog(256 * 1024);
        var hub = new GroupHub(new NodeId(1), log);
        var reader = new GroupReader(log, new BatchSignal());
        hub.Watch(reader, "g");
        hub.Watch(new GroupReader(log, new BatchSignal()), "other");
        Fiber session = null!;   // set below, before it runs
        var writer = world.StartThread("ring", () =>
        {
            for (var batch = 1; batch <= Batches; batch++)
            {
                hub.Message(Delivery("other", (ulong)batch), [], 0);
                hub.Message(Delivery("g", (ulong)batch), [], 0);
                hub.BatchEnd();
            }
        });
        session = world.StartThread("session", () =>
        {
            for (ulong read = 0; read < Batches;)
            {
                var armed = reader.Signal.Arm();
                reader.Refresh();
                var before = read;
                while (reader.Next(out var record, out _, out _) is ReadResult.Event) world.Check(record.Counter == ++read, "a reader sees each record once and in order");
                if (read == before) session.Await(armed);
            }
        });
        return [writer, session];
    }, PreemptionsOfMany);

    /// <summary>A watch is cut off somewhere and another one goes on after its position, while the ring thread adds records; it takes commands also within a batch.</summary>
    public static void Resume(IExploration exploration) => Run(exploration, world =>
    {
        const int Batches = 3;
        var log = new GroupLog(256 * 1024);
        var hub = new GroupHub(new NodeId(1), log);
        var (reader, other) = (new GroupReader(log, new BatchSignal()), new GroupReader(log, new BatchSignal()));
        var watch = hub.Watch(reader, "g");
        hub.Watch(other, "other");
        var (answered, cutAt) = (new BatchSignal(), 0L);
        GroupReader? resumed = null;
        Fiber ring = null!, client = null!;   // set below, before they run
        var isKept = false;
        void Command()
        {
            var position = Volatile.Read(ref cutAt);
            if (position == 0 || resumed is not null) return;
            if (!isKept)   // the cut; to resume is another command
            {
                world.Check(hub.Keep("g"), "a group that is watched can be kept");
                hub.Unwatch(watch);
                isKept = true;
                return;
            }
            var again = new GroupReader(log, new BatchSignal());
            world.Check(hub.WatchAfter(again, "g", position) is not null, "a kept group can be resumed where its watch was cut off");
            hub.Release("g");
            Volatile.Write(ref resumed, again);
            answered.Raise();
        }

        ring = world.StartThread("ring", () =>
        {
            for (var batch = 1; batch <= Batches; batch++)
            {
                hub.Message(Delivery("other", (ulong)batch), [], 0);
                Command();
                hub.Message(Delivery("g", (ulong)batch), [], 0);
                Command();
                hub.BatchEnd();
            }
            ring.Wait(() => cutAt > 0, static () => long.MaxValue);
            Command();
            Command();
        });
        client = world.StartThread("client", () =>
        {
            var (from, read) = (reader, 0UL);
            while (read < Batches)
            {
                var armed = from.Signal.Arm();
                from.Refresh();
                var before = read;
                if (from.Next(out var record, out _, out _) is ReadResult.Event) world.Check(record.Counter == ++read, "each record comes once and in order, from the watch that was cut off or from the one that resumed");
                if (read == before)
                {
                    client.Await(armed);
                    continue;
                }
                if (from != reader) continue;
                var told = answered.Arm();
                Volatile.Write(ref cutAt, reader.Position);
                client.Await(told);
                from = Volatile.Read(ref resumed)!;   // as just told
            }
        });
        return [ring, client];
    }, PreemptionsOfMany);

    /// <summary>A stream enters and leaves a gate that another thread closes.</summary>
    public static void Gate(IExploration exploration) => Run(exploration, world =>
    {
        var gate = new StreamGate(2, "tests are run by");
        var isEmptied = false;
        Fiber closer = null!;   // set below, before it runs
        void Stream()
        {
            try
            {
                using var open = gate.Enter();
                world.Check(!isEmptied, "nobody is in a gate that said it is empty");
                world.Point();
                world.Check(!isEmptied, "nobody is in a gate that said it is empty");
            }
            catch (RpcException)
            {
                // It was closed already.
            }
        }

        closer = world.StartThread("closer", () =>
        {
            closer.Await(gate.CloseAsync("closed"));
            isEmptied = true;
        });
        return [closer, world.StartThread("stream", Stream), world.StartThread("another stream", Stream)];
    });

    /// <summary>Messages, commands and the wish to leave are left for the ring thread while it takes and waits.</summary>
    public static void Mailbox(IExploration exploration) => Run(exploration, world =>
    {
        var mailbox = new Mailbox(4);
        Fiber ring = null!;   // set below, before it runs
        ring = world.StartThread("ring", () =>
        {
            var (messages, commands) = (0, 0);
            using var wake = new PollSet(1);
            while (true)
            {
                mailbox.BeginUrgent();
                while (mailbox.Commands.Reader.TryRead(out _)) commands++;
                var isLeaving = mailbox.IsLeaving;
                while (mailbox.Submits.Reader.TryRead(out _)) messages++;
                if (isLeaving && messages == 1 && commands == 1) return;
                if (!mailbox.TryBeginWait(wantsSubmits: true)) continue;
                ring.Wait(() => IsReadable(wake, mailbox.Descriptor), static () => long.MaxValue);
                mailbox.EndWait();
                mailbox.ClearWake();
            }
        });
        return
        [
            ring,
            world.StartThread("sender", () =>
            {
                mailbox.Submits.Writer.TryWrite(default);
                mailbox.WakeForSubmit();
            }),
            world.StartThread("asker", () =>
            {
                mailbox.Commands.Writer.TryWrite(new Nothing());
                mailbox.Wake();
            }),
            world.StartThread("leaver", mailbox.Leave),
        ];
    }, PreemptionsOfMany);

    /// <summary>The reading task takes places and ends; the ring thread answers; the writing task takes the receipts out.</summary>
    public static void Receipts(IExploration exploration) => Run(exploration, world =>
    {
        const int Messages = 2;
        var table = new ReceiptTable(1000);
        var signal = new BatchSignal();
        var window = new ReceiptWindow(table, signal);
        var taken = new Queue<ulong>();
        var isComplete = false;
        Fiber ring = null!, writing = null!;   // set below, before they run
        var reading = world.StartThread("reading", () =>
        {
            for (var message = 0; message < Messages; message++) taken.Enqueue(window.TakeAsync(CancellationToken.None).AsTask().Result);   // there is room: complete at once
            window.Complete();
            isComplete = true;
        });
        ring = world.StartThread("ring", () =>
        {
            for (ulong answered = 0; answered < Messages; answered++)
            {
                ring.Wait(() => taken.Count > 0 || isComplete, static () => long.MaxValue);
                window.Submitted(taken.Dequeue(), new SendResult(GroupStatus.Accepted, answered + 1));
                table.Delivered(new Delivery(RingId.None, new Seq(answered + 1), 0, new NodeId(1), 1, answered + 1, DeliveryLevel.Agreed, 0), 0);
                table.BatchEnd();
            }
        });
        writing = world.StartThread("writing", () =>
        {
            ulong receipts = 0;
            while (true)
            {
                var armed = signal.Arm();
                var before = receipts;
                while (window.TryTake(out var outcome)) world.Check(outcome.Counter == ++receipts, "receipts come once and in the order of sending");
                window.Release();
                if (window.HasEnded) break;
                if (receipts == before) writing.Await(armed);
            }

            world.Check(receipts == Messages, "every message has its receipt when a window has ended");
        });
        return [reading, ring, writing];
    }, 1);

    private static void Run(IExploration exploration, Func<World, Fiber[]> threads, int preemptions = Preemptions) => World.Run(
        new World(exploration) { Preemptions = preemptions },
        async world =>
        {
            foreach (var thread in threads(world)) await thread.Ended;
        });

    private static GroupDelivery Delivery(string group, ulong counter) => new(
        string.Intern(group), new GroupMember(new NodeId(2), 1, 1), 1, ViewId.Regular(RingId.None), new Delivery(RingId.None, new Seq(counter), 0, new NodeId(2), 1, counter, DeliveryLevel.Agreed, 0));

    private static bool IsReadable(PollSet wake, int descriptor)
    {
        wake.Clear();
        var place = wake.Add(descriptor, Libc.PollIn);
        wake.Wait(0);
        return wake.Returned(place) != 0;
    }

    private sealed class Nothing : RingCommand
    {
        public override void Run(RingLoop loop)
        {
        }

        public override void Abandon(RingStoppedException reason)
        {
        }
    }
}
