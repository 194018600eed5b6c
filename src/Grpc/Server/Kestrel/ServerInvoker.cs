using System.Globalization;
using Grpc.Core;
using Membership.Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Membership.Grpc.Server.Kestrel;

/// <summary>The one path of every call: refuse, authorise, run the handler, say how it ended.</summary>
internal sealed class ServerInvoker(IHostApplicationLifetime lifetime, ILogger<ServerInvoker> logger)
{
    public async Task InvokeAsync<TRequest, TResponse>(
        HttpContext http,
        Method<TRequest, TResponse> method,
        GrpcServerOptions options,
        Func<HttpServerCall, FrameReader<TRequest>, FrameWriter<TResponse>, Task> handle)
        where TRequest : class
        where TResponse : class
    {
        if (!await AcceptAsync(http).ConfigureAwait(false)) return;
        if (TooLarge(http.Request.Headers, options.MaxHeaderBytes) is { } refusal)
        {
            WriteStatus(http, refusal, Metadata.Empty);
            return;
        }
        LiftLimits(http);

        using var call = new HttpServerCall(http, method, options, lifetime.ApplicationStopping);
        using var requests = new FrameReader<TRequest>(http.Request.BodyReader, method.RequestMarshaller, options.MaxReceiveBytes, call.RequestIsGzip);
        using var replies = new FrameWriter<TResponse>(method.ResponseMarshaller, http.Response.BodyWriter, options.MaxSendBytes);

        var (status, trailers) = await RunAsync(call, options, () => handle(call, requests, replies)).ConfigureAwait(false);
        options.Ended?.Invoke(call, status);
        call.End();
        if (http.RequestAborted.IsCancellationRequested) return;   // the client reset the call: nobody is left to be told
        if (replies.IsBroken) http.Abort();                         // a torn message: only a reset ends it
        else WriteStatus(http, status, trailers);
    }

    /// <summary>Answers a call to a method that is not served.</summary>
    public static async Task AnswerUnimplementedAsync(HttpContext http)
    {
        if (!await AcceptAsync(http).ConfigureAwait(false)) return;
        WriteStatus(http, new Status(StatusCode.Unimplemented, $"This server has no method {http.Request.Path}."), Metadata.Empty);
    }

    private static async Task<bool> AcceptAsync(HttpContext http)
    {
        if (!HeaderFields.IsGrpc(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            await http.Response.WriteAsync("This is a gRPC server: requests have content-type application/grpc.\n").ConfigureAwait(false);
            return false;
        }

        http.Response.ContentType = HeaderFields.ContentType;
        http.Response.Headers[HeaderFields.AcceptEncoding] = HeaderFields.AcceptedEncodings;
        string encoding = http.Request.Headers[HeaderFields.Encoding].ToString();
        if (encoding is "" or Gzip.Identity or Gzip.Name) return true;
        WriteStatus(http, new Status(StatusCode.Unimplemented, $"The encoding '{encoding}' is not known; gzip and identity are."), Metadata.Empty);
        return false;
    }

    private static Status? TooLarge(IHeaderDictionary headers, int max)
    {
        long bytes = 0;
        foreach (var (name, values) in headers)
        {
            foreach (string? value in values) bytes += name.Length + (value?.Length ?? 0);
        }
        return bytes <= max ? null : new Status(StatusCode.ResourceExhausted, $"The header fields of the call have {bytes} bytes, more than {max}.");
    }

    /// <summary>
    /// Kestrel would close the whole connection of a client whose stream is silent for five seconds, and refuse a long stream:
    /// both are ordinary here. Messages have their own bound.
    /// </summary>
    private static void LiftLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } requestRate) requestRate.MinDataRate = null;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
    }

    private async Task<(Status Status, Metadata Trailers)> RunAsync(HttpServerCall call, GrpcServerOptions options, Func<Task> handle)
    {
        try
        {
            if (options.Authorize?.Invoke(call) is { StatusCode: not StatusCode.OK } refusal) return (refusal, call.ResponseTrailers);
            // A client of a stream may wait for the headers before it sends, so they must not wait for the first reply.
            if (call.IsReplyStream) await call.Http.Response.BodyWriter.FlushAsync(call.CancellationToken).ConfigureAwait(false);
            await handle().ConfigureAwait(false);
            return (StatusAfterReturn(call), call.ResponseTrailers);
        }
        catch (Exception) when (call.Revoked is not null)
        {
            return (call.Revoked.Value, call.ResponseTrailers);
        }
        catch (Exception) when (call.IsExpired)
        {
            return (Expired, call.ResponseTrailers);
        }
        catch (Exception) when (call.IsAborted)
        {
            return (Status.DefaultCancelled, Metadata.Empty);
        }
        catch (OperationCanceledException) when (call.IsStopping)
        {
            return (Stopping, call.ResponseTrailers);
        }
        catch (RpcException chosen)
        {
            return (chosen.Status, Merge(chosen.Trailers, call));
        }
        catch (Exception failure)
        {
            var status = new Status(StatusCode.Unknown, $"The service failed with {failure.GetType().Name}; its log has the details.");
            Log.HandlerFailed(logger, failure, call.Method, ((ServerCallContext)call).Peer, status.StatusCode.ToString());
            return (status, call.ResponseTrailers);
        }
    }

    private static readonly Status Expired = new(StatusCode.DeadlineExceeded, "The deadline of the call passed.");

    private static readonly Status Stopping = new(StatusCode.Unavailable, "The server is being stopped.");

    /// <summary>A stream of replies that its handler ended because the server stops is not a complete one.</summary>
    private static Status StatusAfterReturn(HttpServerCall call)
    {
        if (call.Revoked is { } revoked) return revoked;
        if (call.Status.StatusCode != StatusCode.OK) return call.Status;
        if (call.IsExpired) return Expired;
        return call.IsReplyStream && call.IsStopping ? Stopping : call.Status;
    }

    private static Metadata Merge(Metadata chosen, HttpServerCall call)
    {
        if (!call.HasTrailers) return chosen;
        var merged = new Metadata();
        foreach (var entry in call.ResponseTrailers) merged.Add(entry);
        foreach (var entry in chosen) merged.Add(entry);
        return merged;
    }

    /// <summary>A call that has nothing but an error to say puts it into the headers; all others say it after the messages.</summary>
    private static void WriteStatus(HttpContext http, Status status, Metadata trailers)
    {
        var response = http.Response;
        bool after = status.StatusCode == StatusCode.OK || response.HasStarted;
        Put(HeaderFields.Status, ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture));
        if (!string.IsNullOrEmpty(status.Detail)) Put(HeaderFields.Message, PercentEncoding.Encode(status.Detail));
        foreach (var entry in trailers)
        {
            if (!HeaderFields.IsReserved(entry.Key)) Put(entry.Key, HeaderFields.Text(entry));
        }

        void Put(string name, string value)
        {
            if (after) response.AppendTrailer(name, value);
            else response.Headers.Append(name, value);
        }
    }
}
