"""What methods that predict labels from responses share: arrays, patches of regions, experiment."""
