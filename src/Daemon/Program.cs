using Membership.Daemon;
using Membership.Daemon.Witness.Server;

try
{
    var line = CommandLine.Parse(args);
    if (line.ShowHelp)
    {
        Console.Out.Write(CommandLine.Help);
        return ExitCode.Ok;
    }
    if (line.ShowVersion)
    {
        Console.Out.WriteLine($"membershipd {DaemonVersion.Text}");
        return ExitCode.Ok;
    }
    if (line.Witness) return line.CheckConfig ? WitnessProcess.Check(line, Console.Out) : await WitnessProcess.RunAsync(line);
    return line.CheckConfig ? ConfigurationCheck.Run(line, Console.Out, Console.Error) : await DaemonProcess.RunAsync(line);
}
catch (StartException refused)
{
    Console.Error.WriteLine(refused.Message);
    return refused.ExitCode;
}
catch (Exception mistake)
{
    // Nothing below has an answer to it: say what it is, so that it can be reported, and stop.
    Console.Error.WriteLine($"membershipd: stopped by a mistake in the program; please report it:\n{mistake}");
    return ExitCode.Internal;
}
