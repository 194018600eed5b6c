using Xunit;

// The tests measure time and share two cores: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
