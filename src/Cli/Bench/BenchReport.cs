using System.Globalization;
using System.Text.Json;
using Membership.Cli.Status;

namespace Membership.Cli.Bench;

/// <summary>What a benchmark measured, as text and as JSON.</summary>
internal sealed record BenchReport(BenchOptions Options, int Daemons, int Senders)
{
    /// <summary>The process group measured; null: the raw ring.</summary>
    public string? Group { get; init; }

    /// <summary>Members it had at the start.</summary>
    public int Members { get; init; }

    /// <summary>What the daemon's resident memory rose by in the measured time, at most, bytes; null: not measured.</summary>
    public long? DaemonGrowthBytes { get; init; }

    /// <summary>Messages delivered a second, mean of all daemons.</summary>
    public required double DeliveredPerSecond { get; init; }

    /// <summary>Payload, 10^6 bytes a second, mean of all daemons.</summary>
    public required double MegabytesPerSecond { get; init; }

    /// <summary>Messages sent by this process in all, warm-up included.</summary>
    public required long Sent { get; init; }

    /// <summary>Latency of messages at the daemon they were sent through.</summary>
    public required LatencyHistogram Self { get; init; }

    /// <summary>Latency of messages at the other daemons.</summary>
    public required LatencyHistogram Other { get; init; }

    /// <summary>Latency of messages that found the ring idle.</summary>
    public required LatencyHistogram AfterIdle { get; init; }

    /// <summary>CPU time of one daemon for each message it ordered; null when not known.</summary>
    public required double? CpuMicrosecondsPerMessage { get; init; }

    /// <summary>Packets of all daemons driven for each message; null when not known.</summary>
    public required double? PacketsPerMessage { get; init; }

    /// <summary>Views that came in between.</summary>
    public required int ViewChanges { get; init; }

    /// <summary>Times a reader was too slow and cut off; what it missed is not counted as delivered.</summary>
    public required int Cuts { get; init; }

    /// <summary>Messages that will never be delivered, by their receipt.</summary>
    public required long Failed { get; init; }

    /// <summary>Why the first of them failed.</summary>
    public required string? FirstFailure { get; init; }

    /// <summary>Messages out of order, twice or after a gap.</summary>
    public required long OrderErrors { get; init; }

    /// <summary>The first of them.</summary>
    public required string? OrderError { get; init; }

    /// <summary>The fields of the JSON form, inside an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (Group is not null)
        {
            json.WriteString("group", Group);
            json.WriteNumber("members", Members);
            json.WriteNumber("stalled", Options.Stalled);
            Write(json, "daemon_growth_bytes", DaemonGrowthBytes);
        }
        json.WriteNumber("daemons", Daemons);
        json.WriteNumber("senders", Senders);
        json.WriteNumber("size", Options.Size);
        json.WriteString("level", Words.Of(Options.Level));
        json.WriteNumber("outstanding", Options.Outstanding);
        json.WriteNumber("rate", Options.Rate);
        json.WriteNumber("seconds", Options.Measured.TotalSeconds);
        json.WriteNumber("delivered_per_s", Math.Round(DeliveredPerSecond, 1));
        json.WriteNumber("mb_per_s", Math.Round(MegabytesPerSecond, 3));
        json.WriteNumber("sent", Sent);
        json.WriteStartObject("latency_us");
        Write(json, "self", Self);
        Write(json, "other", Other);
        json.WriteEndObject();
        Write(json, "idle_first_us", AfterIdle);
        Write(json, "cpu_us_per_message", CpuMicrosecondsPerMessage);
        Write(json, "packets_per_message", PacketsPerMessage);
        json.WriteNumber("view_changes", ViewChanges);
        json.WriteNumber("cuts", Cuts);
        json.WriteNumber("failed", Failed);
        json.WriteNumber("order_errors", OrderErrors);
    }

    /// <summary>The text form.</summary>
    public string ToText() => string.Create(CultureInfo.InvariantCulture, $"""
         {Daemons} daemon(s), {Senders} sender(s), {Options.Size} B {Words.Of(Options.Level)}, {(Options.Rate > 0 ? $"{Options.Rate} msg/s each" : $"{Options.Outstanding} outstanding each")}, {Options.Measured.TotalSeconds} s
         delivered        {DeliveredPerSecond:0} msg/s   {MegabytesPerSecond:0.00} MB/s
         latency self     {Text(Self)}
         latency other    {Text(Other)}
         after idle       {Text(AfterIdle)}
         CPU per message  {Text(CpuMicrosecondsPerMessage, "0.00", " us per daemon")}
         packets per msg  {Text(PacketsPerMessage, "0.000", "")}
         view changes     {ViewChanges}, readers cut off {Cuts}, failed {Failed}, order errors {OrderErrors}
        """);

    private static string Text(double? value, string format, string unit) =>
        value is { } known ? known.ToString(format, CultureInfo.InvariantCulture) + unit : "not measured";

    private static string Text(LatencyHistogram histogram) => histogram.Count == 0 ? "-" : string.Create(CultureInfo.InvariantCulture,
        $"p50 {histogram.Percentile(0.5) / 1e3:0.0}  p99 {histogram.Percentile(0.99) / 1e3:0.0}  p99.9 {histogram.Percentile(0.999) / 1e3:0.0}  max {histogram.MaxNs / 1e3:0.0} us");

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } known)
            json.WriteNumber(name, Math.Round(known, 3));
        else
            json.WriteNull(name);
    }

    private static void Write(Utf8JsonWriter json, string name, LatencyHistogram histogram)
    {
        if (histogram.Count == 0)
        {
            json.WriteNull(name);
            return;
        }
        json.WriteStartObject(name);
        json.WriteNumber("count", histogram.Count);
        json.WriteNumber("p50", histogram.Percentile(0.5) / 1e3);
        json.WriteNumber("p99", histogram.Percentile(0.99) / 1e3);
        json.WriteNumber("p99_9", histogram.Percentile(0.999) / 1e3);
        json.WriteNumber("max", histogram.MaxNs / 1e3);
        json.WriteEndObject();
    }
}
