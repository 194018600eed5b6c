using System.Security.Cryptography;
using Membership.Daemon.Configuration;
using Membership.Daemon.State;
using Membership.Fuzz.Engine;
using Membership.Links;
using Membership.Quorum;

namespace Membership.Fuzz.Targets;

/// <summary>Two files of the state directory, at their worst.</summary>
internal static class Records
{
    /// <summary>Terms of 10 bytes on the disk become entries of 24 and lists that double; the files are this node's own, under a checksum.</summary>
    public static long AllocationMax(int length) => (40L * length) + 4096;

    public static QuorumRecord Small { get; } = new(7, [new NodeId(1), new NodeId(2)], QuorumTerms.Configured, [], 3);

    public static QuorumRecord Wide { get; } = new(
        99, [new NodeId(1), new NodeId(2), new NodeId(3)],
        new QuorumTerms(5, [new Voter(new NodeId(1), 2), new Voter(new NodeId(3), 7)], [new NodeId(2)], 11, [new NodeId(1), new NodeId(3)]),
        [new QuorumTerms(6, [], [], 5, []), new QuorumTerms(8, [new Voter(new NodeId(2), 1)], [], 0, [new NodeId(2)])], 12);

    /// <summary>Makes the checksum at the end right.</summary>
    public static void Sum(Span<byte> file)
    {
        if (file.Length >= SHA256.HashSizeInBytes) SHA256.HashData(file[..^SHA256.HashSizeInBytes], file[^SHA256.HashSizeInBytes..]);
    }
}

/// <summary>A reservation of ring sequences.</summary>
internal sealed class ReservationTarget : Target
{
    public override string Name => "state/reservation";

    public override IReadOnlyList<string> Reasons { get; } = ["read", "wrong length", "another file", "wrong sum"];

    public override int LengthMax => 128;

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("first", new Reservation(1, 1024).Encode());
        yield return new Seed("late", new Reservation(ulong.MaxValue, ulong.MaxValue / 2).Encode());
    }

    public override void Repair(Span<byte> input) => Records.Sum(input);

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (Reservation.TryDecode(input, out var reservation))
            return input.SequenceEqual(reservation.Encode()) ? 0 : throw new BrokenPromiseException("a reservation that was read is written otherwise");
        if (input.Length != Reservation.Bytes) return 1;
        return input.StartsWith("MBRRING1"u8) ? 3 : 2;
    }
}

/// <summary>Quorum's record as a file.</summary>
internal sealed class QuorumFileTarget : Target
{
    public override string Name => "state/quorum";

    public override long AllocationMax(int length) => Records.AllocationMax(length);

    public override IReadOnlyList<string> Reasons { get; } = ["read", "too short", "another file", "wrong sum", "no record inside"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("small", new QuorumFile(1, Records.Small).Encode());
        yield return new Seed("wide", new QuorumFile(8, Records.Wide).Encode());
    }

    public override void Repair(Span<byte> input) => Records.Sum(input);

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (QuorumFile.Decode(input) is { } file)
            return input.SequenceEqual(file.Encode()) ? 0 : throw new BrokenPromiseException("a record that was read is written otherwise");
        if (input.Length < 48) return 1;
        if (!input.StartsWith("MBRQUOR1"u8)) return 2;
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input[..^SHA256.HashSizeInBytes], sum);
        return sum.SequenceEqual(input[^SHA256.HashSizeInBytes..]) ? 4 : 3;
    }
}

/// <summary>Quorum's record without the file around it, as reports carry it.</summary>
internal sealed class QuorumRecordTarget : Target
{
    public override string Name => "quorum/record";

    public override long AllocationMax(int length) => Records.AllocationMax(length);

    public override IReadOnlyList<string> Reasons { get; } = ["read", "refused"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("empty", QuorumRecord.Empty.Encode());
        yield return new Seed("small", Records.Small.Encode());
        yield return new Seed("wide", Records.Wide.Encode());
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (QuorumRecord.Decode(input) is not { } record) return 1;
        return input.SequenceEqual(record.Encode()) ? 0 : throw new BrokenPromiseException("a record that was read is written otherwise");
    }
}

/// <summary>The cluster's keys.</summary>
internal sealed class KeyFileTarget : Target
{
    private static readonly string[] Beginnings =
    [
        "the line has", "the first word is not a key id", "the second word of key", "the secret of key", "key id", "key ", "the key file has",
    ];

    public override string Name => "files/keys";

    public override IReadOnlyList<string> Reasons { get; } =
        ["keys", "words", "key id", "state", "no secret", "id twice", "secret twice", "not one active", "secret that nobody drew"];

    public override bool IsText => true;

    // Each mistake is a sentence for the operator; at most 100 are kept (MistakeList.Max).
    public override long AllocationMax(int length) => (4L * length) + (100 * 1024);

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[] { "active", "accepted", "1", "255", "256", "0", "#", "\n", "  ", "\t", "=" }.Select(word => System.Text.Encoding.ASCII.GetBytes(word))];

    public override IEnumerable<Seed> Seeds()
    {
        var (first, second) = (Secret(1), Secret(2));
        yield return Text("one", $"1 active {first}\n");
        yield return Text("two", $"# keys\n1 accepted {first}\n2 active {second}\n");
        yield return Text("none-active", $"1 accepted {first}\n2 accepted {second}\n");
        yield return Text("two-active", $"1 active {first}\n2 active {second}\n");
        yield return Text("id-twice", $"1 active {first}\n1 accepted {second}\n");
        yield return Text("secret-twice", $"1 active {first}\n2 accepted {first}\n");
        yield return Text("id-0", $"0 active {first}\n");
        yield return Text("id-256", $"256 active {first}\n");
        yield return Text("another-state", $"1 retired {first}\n");
        yield return Text("two-words", $"1 {first}\n");
        yield return Text("four-words", $"1 active {first} more\n");
        yield return Text("short-secret", "1 active aGVsbG8=\n");
        yield return Text("weak-secret", $"1 active {Convert.ToBase64String(new byte[32])}\n");
        yield return Text("printable-secret", $"1 active {Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes("correct horse battery staple 123"))}\n");
        yield return Text("windows", $"1 active {first}\r\n\r\n");
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var mistakes = new MistakeList("cluster.key");
        var keys = KeyFile.Parse("cluster.key", input, mistakes);
        if (mistakes.IsEmpty) return keys.Count(key => key.Active) == 1 ? 0 : throw new BrokenPromiseException("keys without exactly one active");
        if (keys.Count != 0) throw new BrokenPromiseException("keys and mistakes");
        var text = mistakes.Mistakes[0].Text;
        if (text.Contains("is not random", StringComparison.Ordinal)) return 8;
        return 1 + Array.FindIndex(Beginnings, beginning => text.StartsWith(beginning, StringComparison.Ordinal));
    }

    private static string Secret(byte start) => Convert.ToBase64String(SHA256.HashData([start]));

    private static Seed Text(string name, string text) => new(name, System.Text.Encoding.UTF8.GetBytes(text));
}
