using Membership.Daemon;

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
    return line.CheckConfig ? ConfigurationCheck.Run(line, Console.Out, Console.Error) : ExitCode.Ok;
}
catch (StartException refused)
{
    Console.Error.WriteLine(refused.Message);
    return refused.ExitCode;
}
