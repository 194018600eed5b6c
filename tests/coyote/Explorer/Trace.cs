using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Membership.Explorer;

/// <summary>The answers of one iteration on one line: whoever gives them again sees the same run.</summary>
/// <remarks>
/// <c>s3 s0*4 b1 i7</c>: schedule choice by index, the same one four times, a boolean, an integer. Where the line ends, the first answer is given: first actor, false, 0.
/// <c>f12</c> at the front: steps count as fair from the 12th on (only where something owed did not happen). <c>r</c> at the end: go on as a fair random walk with a fixed seed.
/// <c>-</c> is the empty trace.
/// </remarks>
public sealed class Trace
{
    /// <summary>A longer line is not a trace.</summary>
    public const int DecisionsMax = 1 << 20;

    /// <summary>A trace of these answers.</summary>
    public Trace(IReadOnlyList<Decision> decisions, int? fairFrom = null, bool endsFair = false)
    {
        Decisions = decisions;
        FairFrom = fairFrom;
        EndsFair = endsFair;
    }

    /// <summary>The answers in order.</summary>
    public IReadOnlyList<Decision> Decisions { get; }

    /// <summary>The step from which on scheduling was fair, where that matters.</summary>
    public int? FairFrom { get; }

    /// <summary>After the last answer a fair random walk follows, not the first answer each time.</summary>
    public bool EndsFair { get; }

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <param name="text">The line.</param>
    /// <param name="trace">The trace, when it is one.</param>
    /// <param name="error">What is wrong with it and where, when it is none.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out Trace? trace, [NotNullWhen(false)] out string? error)
    {
        var decisions = new List<Decision>();
        int? fairFrom = null;
        var endsFair = false;
        trace = null;
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        for (var at = 0; at < words.Length; at++)
        {
            var word = words[at];
            if (endsFair)
            {
                error = $"word {at + 1}: \"{word}\" comes after the end \"r\"";
                return false;
            }
            if (word == "-") continue;
            if (word == "r") endsFair = true;
            else if (word[0] == 'f' && at == 0 && TryNumber(word.AsSpan(1), out var from)) fairFrom = from;
            else if (!TryDecision(word, decisions))
            {
                error = $"word {at + 1}: \"{word}\" is none of s, b, i with a number and perhaps *times, f with a number at the front, r at the end";
                return false;
            }
        }
        trace = new Trace(decisions, fairFrom, endsFair);
        error = null;
        return true;
    }

    /// <summary>Reads a line that is known to be a trace.</summary>
    /// <exception cref="FormatException">It is none; the message says where.</exception>
    public static Trace Parse(string text) => TryParse(text, out var trace, out var error) ? trace : throw new FormatException(error);

    /// <summary>The line.</summary>
    public override string ToString()
    {
        var line = new StringBuilder();
        if (FairFrom is { } from) line.Append(CultureInfo.InvariantCulture, $"f{from} ");
        for (var at = 0; at < Decisions.Count;)
        {
            var (kind, value) = (Decisions[at].Kind, Decisions[at].Value);
            var end = at + 1;
            while (end < Decisions.Count && Decisions[end].Kind == kind && Decisions[end].Value == value) end++;
            line.Append(Letter(kind)).Append(CultureInfo.InvariantCulture, $"{value}");
            if (end - at > 1) line.Append(CultureInfo.InvariantCulture, $"*{end - at}");
            line.Append(' ');
            at = end;
        }
        if (EndsFair) line.Append('r');
        return line.Length == 0 ? "-" : line.ToString().TrimEnd();
    }

    private static bool TryDecision(string word, List<Decision> decisions)
    {
        var star = word.IndexOf('*', StringComparison.Ordinal);
        var times = 1;
        if (star >= 0 && (!TryNumber(word.AsSpan(star + 1), out times) || times == 0)) return false;
        if (!TryNumber(word.AsSpan(1, (star < 0 ? word.Length : star) - 1), out var value) || decisions.Count + (long)times > DecisionsMax) return false;
        ChoiceKind? kind = word[0] switch
        {
            's' => ChoiceKind.Schedule,
            'b' when value <= 1 => ChoiceKind.Boolean,
            'i' => ChoiceKind.Integer,
            _ => null,
        };
        if (kind is null) return false;
        for (var i = 0; i < times; i++) decisions.Add(new Decision(kind.Value, value));
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static char Letter(ChoiceKind kind) => kind switch
    {
        ChoiceKind.Schedule => 's',
        ChoiceKind.Boolean => 'b',
        _ => 'i',
    };
}
