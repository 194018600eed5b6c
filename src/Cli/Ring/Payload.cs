using System.Buffers.Binary;

namespace Membership.Cli.Ring;

/// <summary>Payloads that anybody can make again from a seed and a number.</summary>
/// <remarks>SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014), eight bytes a step, little-endian.</remarks>
internal static class Payload
{
    private const ulong Golden = 0x9e3779b97f4a7c15;

    /// <summary>Fills <paramref name="payload"/> with the bytes of message <paramref name="number"/> of the sequence <paramref name="seed"/>.</summary>
    public static void Fill(Span<byte> payload, ulong seed, ulong number)
    {
        var state = Mix(seed + Golden) ^ Mix(number * Golden);
        Span<byte> last = stackalloc byte[sizeof(ulong)];
        while (payload.Length >= sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(payload, Mix(state += Golden));
            payload = payload[sizeof(ulong)..];
        }
        BinaryPrimitives.WriteUInt64LittleEndian(last, Mix(state + Golden));
        last[..payload.Length].CopyTo(payload);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
}
