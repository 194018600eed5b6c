using System.Diagnostics;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Grpc.Errors;
using Membership.Grpc.Server;
using Membership.V1;

namespace Membership.Daemon.Witness.Server;

/// <summary>The witness's gRPC service: lets nodes in whose certificate names them, and carries their sessions to the loop.</summary>
internal sealed class WitnessApi(WitnessServerConfiguration configuration, WitnessLoop loop, RefusalLog refusals) : WitnessService.WitnessServiceBase
{
    /// <summary>Who has not said who he is by then is cut off.</summary>
    public static readonly TimeSpan HelloMax = TimeSpan.FromSeconds(5);

    /// <summary>Messages of a session in one second; a node needs a handful. More end the session.</summary>
    public const int MessagesPerSecondMax = 50;

    /// <inheritdoc/>
    public override async Task Session(IAsyncStreamReader<WitnessRequest> requests, IServerStreamWriter<WitnessAnswer> answers, ServerCallContext context)
    {
        var hello = await ReadHelloAsync(requests, context);
        var session = Admit(hello, context);
        if (await loop.ConnectAsync(session, context.CancellationToken) is { } refusal)
            throw Refuse(context, StatusCode.FailedPrecondition, "WITNESS_REFUSED", $"node {session.NodeName} of cluster {session.Cluster} is refused: {refusal}");
        try
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
            var writing = WriteAsync(session, answers, ends.Token);
            var reading = ReadAsync(session, requests, context, ends.Token);
            await Task.WhenAny(writing, reading, session.Ended);
            await ends.CancelAsync();
            await Task.WhenAll(writing, reading);
            if (session.EndReason is { } reason) throw RichError.Of(StatusCode.Aborted, "WITNESS_SESSION_ENDED", $"the witness ended the session: {reason}").ToException();
        }
        finally
        {
            await loop.DisconnectAsync(session);
        }
    }

    private static async Task<WitnessHello> ReadHelloAsync(IAsyncStreamReader<WitnessRequest> requests, ServerCallContext context)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        limit.CancelAfter(HelloMax);
        try
        {
            if (await requests.MoveNext(limit.Token) && requests.Current.Hello is { } hello) return hello;
        }
        catch (OperationCanceledException) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw RichError.Of(StatusCode.DeadlineExceeded, "WITNESS_NO_HELLO", $"no hello within {HelloMax.TotalSeconds} s").ToException();
        }

        throw RichError.Of(StatusCode.InvalidArgument, "WITNESS_NO_HELLO", "a session begins with a hello").ToException();
    }

    private WitnessSession Admit(WitnessHello said, ServerCallContext context)
    {
        if (context.GetClientCertificate() is not { } certificate)
            throw Refuse(context, StatusCode.Unauthenticated, "WITNESS_NO_CERTIFICATE", "the witness serves nodes with a certificate only");
        if (WitnessCodec.Read(said, out var why) is not { } hello)
            throw Refuse(context, StatusCode.InvalidArgument, "WITNESS_BAD_HELLO", $"the hello makes no sense: {why}");
        if (NodeCertificate.WhyNot(certificate, said.Cluster, said.NodeName) is { } stranger)
            throw Refuse(context, StatusCode.PermissionDenied, "WITNESS_WRONG_CERTIFICATE", stranger);
        if (configuration.WhyNot(said.Cluster, hello.Algorithm) is { } unserved)
            throw Refuse(context, StatusCode.PermissionDenied, "WITNESS_NOT_SERVED", unserved);
        return new WitnessSession(loop.NextSession(), said.Cluster, said.NodeName, hello);
    }

    private RpcException Refuse(ServerCallContext context, StatusCode code, string reason, string message)
    {
        refusals.Add(context.Peer, message);
        return RichError.Of(code, reason, message).ToException();
    }

    private async Task ReadAsync(WitnessSession session, IAsyncStreamReader<WitnessRequest> requests, ServerCallContext context, CancellationToken cancellationToken)
    {
        var (second, count) = (Stopwatch.GetTimestamp(), 0);
        try
        {
            while (await requests.MoveNext(cancellationToken))
            {
                if (Stopwatch.GetElapsedTime(second) >= TimeSpan.FromSeconds(1)) (second, count) = (Stopwatch.GetTimestamp(), 0);
                if (++count > MessagesPerSecondMax)
                    throw Refuse(context, StatusCode.ResourceExhausted, "WITNESS_TOO_MANY_MESSAGES", $"node {session.NodeName} sent more than {MessagesPerSecondMax} messages in one second");
                await HandleAsync(session, requests.Current, context, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The session is over.
        }
    }

    private async Task HandleAsync(WitnessSession session, WitnessRequest request, ServerCallContext context, CancellationToken cancellationToken)
    {
        switch (request.KindCase)
        {
            case WitnessRequest.KindOneofCase.Report:
                if (WitnessCodec.Read(request.Report, session.Hello, out var why) is not { } report)
                    throw Refuse(context, StatusCode.InvalidArgument, "WITNESS_BAD_REPORT", $"the report of node {session.NodeName} makes no sense: {Printable.Text(why, 200)}");
                await loop.ReportAsync(session, request.Report.Number, report, request.Report.GrantEpoch, cancellationToken);
                break;
            case WitnessRequest.KindOneofCase.Release:
                await loop.ReleaseAsync(session, cancellationToken);
                break;
            default:
                throw Refuse(context, StatusCode.InvalidArgument, "WITNESS_BAD_REQUEST", $"node {session.NodeName} sent something that is neither a report nor a release");
        }
    }

    private static async Task WriteAsync(WitnessSession session, IServerStreamWriter<WitnessAnswer> answers, CancellationToken cancellationToken)
    {
        try
        {
            while (await session.Answers.WaitToReadAsync(cancellationToken))
            {
                while (session.Answers.TryRead(out var answer)) await answers.WriteAsync(WitnessCodec.Write(answer), cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The session is over.
        }
    }
}
