using System.Globalization;

namespace Membership.Links;

/// <summary>128 random bits drawn once per start of a daemon; two starts of one node never share it.</summary>
/// <remarks>Drawn by the host (the operating system's generator in the daemon, the seed in the simulator).</remarks>
public readonly record struct BootId(ulong High, ulong Low)
{
    /// <summary>The half that travels in clear headers and in ring ids; enough to tell boots of one node apart.</summary>
    public ulong Short => Low;

    /// <summary>32 hex digits.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{High:x16}{Low:x16}");
}
