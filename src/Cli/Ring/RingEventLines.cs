using System.Security.Cryptography;
using Membership.Cli.Status;
using Membership.V1;

namespace Membership.Cli.Ring;

/// <summary>Turns the events of a subscription into lines: the documented JSON, or text for people.</summary>
/// <remarks>
/// The daemon leaves out the ring id and boot ids that have not changed; this class remembers them. Form and order of the JSON
/// fields are fixed (design.md, "Event streams"): scripts and oracles compare the lines.
/// </remarks>
internal sealed class RingEventLines(LineBuffer lines, bool json)
{
    private const int ShaBytes = 8;

    private readonly Dictionary<uint, byte[]> _boots = [];
    private readonly Dictionary<uint, string> _names = [];
    private byte[] _ringId = [];
    private byte[] _viewId = [];

    /// <summary>Adds the line of a view.</summary>
    public void View(View view)
    {
        _viewId = LineBuffer.Encode(view.Id);
        foreach (var member in view.Members)
            _names[member.Node] = member.Name;
        if (!json)
        {
            Text($"-- {ViewText.Line(view)}");
            return;
        }
        lines.Raw("{\"event\":\"view\",\"kind\":\""u8).Raw(view.Transitional ? "transitional"u8 : "regular"u8)
            .Raw("\",\"id\":\""u8).Raw(_viewId).Raw("\",\"number\":"u8).Number(view.Number).Raw(",\"members\":["u8);
        for (var index = 0; index < view.Members.Count; index++)
        {
            if (index > 0)
                lines.Raw(","u8);
            lines.Raw("{\"node\":"u8).Number((ulong)view.Members[index].Node)
                .Raw(",\"boot\":\""u8).Raw(LineBuffer.Encode(view.Members[index].Boot)).Raw("\"}"u8);
        }
        lines.Raw("],\"previous\":\""u8).Raw(LineBuffer.Encode(view.Previous))
            .Raw("\",\"t_ns\":"u8).Number(view.TNs).Raw("}"u8).EndLine();
    }

    /// <summary>Adds the line of a message delivered at <paramref name="tNs"/>.</summary>
    public void Message(RingMessage message, long tNs)
    {
        if (message.RingId.Length > 0)
            _ringId = LineBuffer.Encode(message.RingId);
        if (message.Boot.Length > 0)
            _boots[message.Sender] = LineBuffer.Encode(message.Boot);

        Span<byte> sha = stackalloc byte[SHA256.HashSizeInBytes];
        var size = Hash(message, sha);
        var boot = _boots.GetValueOrDefault(message.Sender, []);
        if (!json)
        {
            Text($"{message.Seq}.{message.Index}  {Sender(message.Sender)} #{message.Counter}  {Words.Of(message.Level)}  {size} B  " +
                $"sha256 {Convert.ToHexStringLower(sha[..ShaBytes])}");
            return;
        }
        lines.Raw("{\"event\":\"message\",\"ring_id\":\""u8).Raw(_ringId)
            .Raw("\",\"seq\":"u8).Number(message.Seq)
            .Raw(",\"index\":"u8).Number((ulong)message.Index)
            .Raw(",\"view\":\""u8).Raw(_viewId)
            .Raw("\",\"sender\":"u8).Number((ulong)message.Sender)
            .Raw(",\"boot\":\""u8).Raw(boot)
            .Raw("\",\"counter\":"u8).Number(message.Counter)
            .Raw(",\"level\":\""u8).Raw(message.Level == DeliveryLevel.Safe ? "safe"u8 : "agreed"u8)
            .Raw("\",\"size\":"u8).Number(size)
            .Raw(",\"sha256\":\""u8).Hex(sha[..ShaBytes])
            .Raw("\",\"t_ns\":"u8).Number(tNs).Raw("}"u8).EndLine();
    }

    /// <summary>Adds the last line of a stream whose reader was too slow.</summary>
    public void Cut(Cut cut)
    {
        if (json)
            lines.Raw("{\"event\":\"cut\",\"resume\":"u8).Number(cut.Resume).Raw("}"u8).EndLine();
        else
            Text($"-- cut off; resume after {cut.Resume}");
    }

    /// <summary>Adds the line of a receipt for a message of this client.</summary>
    public void Receipt(Receipt receipt, int size, ReadOnlySpan<byte> sha)
    {
        if (!json)
        {
            Text(receipt.Failure.Length > 0
                ? $"failed: {receipt.Failure}"
                : $"delivered as {receipt.RingId} {receipt.Seq}.{receipt.Index}  #{receipt.Counter}  {size} B  sha256 {Convert.ToHexStringLower(sha)}");
            return;
        }
        if (receipt.Failure.Length > 0)
        {
            lines.Raw("{\"event\":\"failed\",\"counter\":"u8).Number(receipt.Counter)
                .Raw(",\"reason\":\""u8).Raw(LineBuffer.Encode(receipt.Failure))
                .Raw("\",\"t_ns\":"u8).Number(receipt.TNs).Raw("}"u8).EndLine();
            return;
        }
        lines.Raw("{\"event\":\"sent\",\"counter\":"u8).Number(receipt.Counter)
            .Raw(",\"ring_id\":\""u8).Raw(LineBuffer.Encode(receipt.RingId))
            .Raw("\",\"seq\":"u8).Number(receipt.Seq)
            .Raw(",\"index\":"u8).Number((ulong)receipt.Index)
            .Raw(",\"size\":"u8).Number((long)size)
            .Raw(",\"sha256\":\""u8).Hex(sha)
            .Raw("\",\"t_ns\":"u8).Number(receipt.TNs).Raw("}"u8).EndLine();
    }

    // A headers-only stream brings size and digest; otherwise they are taken from what really arrived.
    private static long Hash(RingMessage message, Span<byte> sha)
    {
        if (message.Sha256.Length >= ShaBytes)
        {
            message.Sha256.Span[..ShaBytes].CopyTo(sha);
            return message.Size;
        }
        SHA256.HashData(message.Payload.Span, sha);
        return message.Payload.Length;
    }

    private string Sender(uint node) => _names.TryGetValue(node, out var name) && name.Length > 0 ? name : $"#{node}";

    private void Text(string line) =>
        lines.Raw(System.Text.Encoding.UTF8.GetBytes(Cli.Text.Escape.ForTerminal(line))).EndLine();
}
