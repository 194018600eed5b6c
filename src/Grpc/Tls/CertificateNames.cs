using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Membership.Grpc.Tls;

/// <summary>What a certificate calls its holder: URIs and DNS names of the subject alternative name; without those the common name.</summary>
/// <remarks>A common name beside alternative names is ignored, as RFC 6125 asks: the authority vouches for the alternative names.</remarks>
public static class CertificateNames
{
    // RFC 5280, 4.2.1.6 (GeneralName): dNSName [2], uniformResourceIdentifier [6].
    private const string AlternativeNames = "2.5.29.17";
    private const string CommonName = "2.5.4.3";
    private static readonly Asn1Tag Dns = new(TagClass.ContextSpecific, 2);
    private static readonly Asn1Tag Uri = new(TagClass.ContextSpecific, 6);

    /// <summary>URIs first, then DNS names (in lower case); or the common name; or nothing.</summary>
    public static IReadOnlyList<string> Of(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var names = Alternatives(certificate);
        if (names.Count > 0) return names;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (!part.HasMultipleElements && part.GetSingleElementType().Value == CommonName && part.GetSingleElementValue() is { Length: > 0 } name) return [name];
        }
        return [];
    }

    private static List<string> Alternatives(X509Certificate2 certificate)
    {
        List<string> uris = [];
        List<string> hosts = [];
        if (certificate.Extensions.FirstOrDefault(extension => extension.Oid?.Value == AlternativeNames) is not { } found) return uris;
        try
        {
            var names = new AsnReader(found.RawData, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                var tag = names.PeekTag();
                if (tag.HasSameClassAndValue(Uri)) uris.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, Uri));
                else if (tag.HasSameClassAndValue(Dns)) hosts.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, Dns).ToLowerInvariant());
                else names.ReadEncodedValue();
            }
        }
        catch (Exception garbled) when (garbled is AsnContentException or CryptographicException)
        {
            return [];   // nobody, rather than somebody by half a name
        }
        uris.AddRange(hosts);
        return uris;
    }
}
