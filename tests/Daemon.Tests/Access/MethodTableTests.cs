using Google.Protobuf;
using Google.Protobuf.Reflection;
using Membership.Daemon.Access;
using Membership.V1;

namespace Membership.Daemon.Tests.Access;

public sealed class MethodTableTests
{
    [Fact]
    public void Every_method_of_every_service_of_every_proto_file_names_a_role()
    {
        var missing =
            from service in MethodTable.Services()
            from method in service.Methods
            where (method.GetOptions()?.GetExtension(AccessExtensions.Role) ?? Role.Unspecified) == Role.Unspecified
            select method.FullName;

        Assert.Empty(missing);
    }

    [Fact]
    public void Every_service_of_the_proto_files_is_found()
    {
        var declared = typeof(AccessReflection).Assembly.GetTypes()
            .Where(type => type.GetMethod("BindService", [typeof(global::Grpc.Core.ServiceBinderBase), type.GetNestedTypes().FirstOrDefault(nested => nested.Name.EndsWith("Base", StringComparison.Ordinal)) ?? typeof(object)]) is not null)
            .Select(type => type.Name).Order(StringComparer.Ordinal);

        Assert.Equal(declared, MethodTable.Services().Select(service => service.Name).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("membership.v1.MembershipService/GetStatus", Role.Read, false)]
    [InlineData("/membership.v1.MembershipService/Multicast", Role.App, false)]
    [InlineData("membership.v1.AdminService/Leave", Role.Operate, true)]
    [InlineData("membership.v1.AdminService/SetVotes", Role.Admin, true)]
    [InlineData("membership.v1.FaultService/Freeze", Role.Admin, true)]
    [InlineData("grpc.health.v1.Health/Check", Role.Read, false)]
    [InlineData("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Role.Read, false)]
    public void Roles_are_those_of_the_proto_files(string name, Role needed, bool mutates)
    {
        var method = MethodTable.Read().Find(name);

        Assert.Equal((needed, mutates), (method?.Needed, method?.Mutates));
    }

    [Fact]
    public void A_method_without_a_role_is_not_in_the_table()
    {
        var file = new FileDescriptorProto
        {
            Name = "careless.proto",
            Package = "careless",
            MessageType = { new DescriptorProto { Name = "M" } },
            Service = { new ServiceDescriptorProto { Name = "S", Method = { new MethodDescriptorProto { Name = "Run", InputType = ".careless.M", OutputType = ".careless.M" } } } },
        };
        var services = FileDescriptor.BuildFromByteStrings([file.ToByteString()])[0].Services;

        var table = MethodTable.Of(services);

        Assert.Null(table.Find("careless.S/Run"));
        Assert.Null(table.Find("careless.S/Other"));
        Assert.Null(table.Find(""));
    }
}
