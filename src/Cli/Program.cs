using Membership.Cli;

var host = CliHost.ForThisProcess();
return await Mbr.RunAsync(args, host, CancellationToken.None);
