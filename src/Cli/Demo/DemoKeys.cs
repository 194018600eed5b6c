using System.Threading.Channels;

namespace Membership.Cli.Demo;

/// <summary>What a key asks for.</summary>
internal abstract record DemoAction
{
    private DemoAction()
    {
    }

    /// <summary>Kill or start a node.</summary>
    public sealed record Toggle(int Node) : DemoAction;

    /// <summary>Freeze a node; null: the demo chooses a running one.</summary>
    public sealed record Freeze(int? Node) : DemoAction;

    /// <summary>Split the cluster in two.</summary>
    public sealed record Split : DemoAction;

    /// <summary>Cut one direction between two nodes.</summary>
    public sealed record OneWay : DemoAction;

    /// <summary>Lose a fifth of all datagrams.</summary>
    public sealed record Lose : DemoAction;

    /// <summary>Remove all faults.</summary>
    public sealed record Heal : DemoAction;

    /// <summary>End the demo.</summary>
    public sealed record Quit : DemoAction;
}

/// <summary>Turns keys into actions; <c>f</c> waits for the digit of a node.</summary>
internal sealed class DemoKeys(int nodes)
{
    private bool _freezes;

    /// <summary>What this key asks for, or null.</summary>
    public DemoAction? Press(char key)
    {
        var node = key - '0';
        var isNode = node >= 1 && node <= nodes;
        var freezes = _freezes;
        _freezes = !freezes && key is 'f' or 'F';
        if (isNode) return freezes ? new DemoAction.Freeze(node) : new DemoAction.Toggle(node);
        return char.ToLowerInvariant(key) switch
        {
            'z' => new DemoAction.Freeze(null),
            'p' => new DemoAction.Split(),
            'a' => new DemoAction.OneWay(),
            'l' => new DemoAction.Lose(),
            'h' => new DemoAction.Heal(),
            'q' => new DemoAction.Quit(),
            _ => null,
        };
    }

    /// <summary>Reads keys from the console on a thread of its own (reading cannot be cancelled) until the process ends.</summary>
    public static ChannelReader<char> ReadConsole()
    {
        var keys = Channel.CreateUnbounded<char>(); // as many as a person presses
        var thread = new Thread(() =>
        {
            try
            {
                while (true) keys.Writer.TryWrite(Console.ReadKey(intercept: true).KeyChar);
            }
            catch (InvalidOperationException closed)
            {
                keys.Writer.Complete(closed); // the terminal went away
            }
        })
        {
            IsBackground = true,
            Name = "keys",
        };
        thread.Start();
        return keys.Reader;
    }
}
