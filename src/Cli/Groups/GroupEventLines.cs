using System.Security.Cryptography;
using Google.Protobuf.Collections;
using Membership.Cli.Ring;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Groups;

/// <summary>Turns the events of a group into lines: the documented JSON, or text for people.</summary>
/// <remarks>Form and order of the JSON fields are fixed (design.md, "Event streams"); what was added later stands at the end of a line.</remarks>
/// <param name="lines">Where they go.</param>
/// <param name="json">JSON instead of text.</param>
/// <param name="group">The group watched.</param>
/// <param name="names">Names of the nodes, for text.</param>
internal sealed class GroupEventLines(LineBuffer lines, bool json, string group, IReadOnlyDictionary<uint, string> names)
{
    private const int ShaBytes = 8;

    private readonly byte[] _group = LineBuffer.Encode(group);
    private byte[] _ringId = [];

    /// <summary>Adds the line of a membership event.</summary>
    public void Membership(GroupMembership membership, long tNs)
    {
        if (!json)
        {
            var joined = membership.Joined.Count > 0 ? $", joined {Names(membership.Joined)}" : "";
            var left = membership.Left.Count > 0 ? $", left {Names(membership.Left)}" : "";
            Text($"-- {membership.View?.Number} {Words.Of(membership.Reason)}: members {Names(membership.Members)}{joined}{left}");
            return;
        }
        lines.Raw("{\"event\":\"membership\",\"group\":\""u8).Raw(_group).Raw("\",\"view\":"u8).Number(membership.View?.Number ?? 0);
        Members(",\"members\":["u8, membership.Members);
        Members(",\"joined\":["u8, membership.Joined);
        Members(",\"left\":["u8, membership.Left);
        lines.Raw(",\"reason\":\""u8).Raw(LineBuffer.Encode(Words.Of(membership.Reason)))
            .Raw("\",\"t_ns\":"u8).Number(tNs).Raw("}"u8).EndLine();
    }

    /// <summary>Adds the line of a message; <paramref name="sha256"/> is empty where the payload came with it.</summary>
    public void Message(GroupMessage message, ReadOnlySpan<byte> sha256, long tNs)
    {
        if (message.RingId.Length > 0)
            _ringId = LineBuffer.Encode(message.RingId);
        Span<byte> sha = stackalloc byte[SHA256.HashSizeInBytes];
        var size = sha256.Length >= ShaBytes ? message.Size : (uint)message.Payload.Length;
        if (sha256.Length >= ShaBytes)
            sha256[..ShaBytes].CopyTo(sha);
        else
            SHA256.HashData(message.Payload.Span, sha);
        var sender = message.Sender ?? new GroupMember();
        if (!json)
        {
            Text($"{message.Seq}.{message.Index}  {Name(sender)} #{message.Counter}  {Words.Of(message.Level)}  {size} B  sha256 {Convert.ToHexStringLower(sha[..ShaBytes])}");
            return;
        }
        lines.Raw("{\"event\":\"message\",\"group\":\""u8).Raw(_group)
            .Raw("\",\"view\":"u8).Number(message.ViewNumber)
            .Raw(",\"seq\":"u8).Number(message.Seq)
            .Raw(",\"sender\":"u8);
        Member(sender);
        lines.Raw(",\"counter\":"u8).Number(message.Counter)
            .Raw(",\"level\":\""u8).Raw(message.Level == DeliveryLevel.Safe ? "safe"u8 : "agreed"u8)
            .Raw("\",\"size\":"u8).Number((ulong)size)
            .Raw(",\"sha256\":\""u8).Hex(sha[..ShaBytes])
            .Raw("\",\"t_ns\":"u8).Number(tNs)
            .Raw(",\"ring_id\":\""u8).Raw(_ringId)
            .Raw("\",\"index\":"u8).Number((ulong)message.Index).Raw("}"u8).EndLine();
    }

    /// <summary>Adds the last line of a stream whose reader was too slow.</summary>
    /// <param name="cut">Where it can go on.</param>
    /// <param name="boot">Of the daemon that counted; empty where it did not say.</param>
    public void Cut(Cut cut, string boot)
    {
        if (!json)
        {
            Text($"-- cut off; resume after {cut.Resume}");
            return;
        }
        lines.Raw("{\"event\":\"cut\",\"resume\":"u8).Number(cut.Resume);
        if (boot.Length > 0)
            lines.Raw(",\"boot\":\""u8).Raw(LineBuffer.Encode(boot)).Raw("\""u8);
        lines.Raw("}"u8).EndLine();
    }

    /// <summary>A member in text: node and process, or the session where the client is remote.</summary>
    public static string Name(GroupMember member, IReadOnlyDictionary<uint, string> names)
    {
        var node = names.TryGetValue(member.Node, out var name) && name.Length > 0 ? name : $"#{member.Node}";
        return member.Pid > 0 ? $"{node}/{member.Pid}" : $"{node}/session-{member.Session}";
    }

    private string Name(GroupMember member) => Name(member, names);

    private string Names(RepeatedField<GroupMember> members) => members.Count == 0 ? "none" : string.Join(' ', members.Select(Name));

    private void Members(ReadOnlySpan<byte> before, RepeatedField<GroupMember> members)
    {
        lines.Raw(before);
        for (var index = 0; index < members.Count; index++)
        {
            if (index > 0)
                lines.Raw(","u8);
            Member(members[index]);
        }
        lines.Raw("]"u8);
    }

    private void Member(GroupMember member) =>
        lines.Raw("{\"node\":"u8).Number((ulong)member.Node).Raw(",\"pid\":"u8).Number((ulong)member.Pid)
            .Raw(",\"session\":"u8).Number((ulong)member.Session).Raw("}"u8);

    private void Text(string line) => lines.Raw(System.Text.Encoding.UTF8.GetBytes(Escape.ForTerminal(line))).EndLine();
}
