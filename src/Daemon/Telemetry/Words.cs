using Grpc.Core;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>Members of enumerations as metrics and status write them. Programs depend on these words.</summary>
internal static class Words
{
    // By number, as gRPC writes them.
    private static readonly string[] Statuses =
    [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ];

    /// <summary>Every reason to drop a datagram with its word: <c>bad_tag</c>.</summary>
    public static IReadOnlyList<(string Name, DropReason Reason)> DropReasons { get; } = [.. Enum.GetValues<DropReason>().Select(static reason => (SnakeCase(reason.ToString()), reason))];

    /// <summary>The word of a status: <c>DEADLINE_EXCEEDED</c>. A number that gRPC does not know, as a service may make one up, is <c>UNKNOWN</c>.</summary>
    public static string Of(StatusCode status) => (uint)status < (uint)Statuses.Length ? Statuses[(int)status] : "UNKNOWN";

    private static string SnakeCase(string name) =>
        string.Concat(name.Select(static (letter, index) => char.IsUpper(letter) ? (index == 0 ? "" : "_") + char.ToLowerInvariant(letter) : letter.ToString()));
}
