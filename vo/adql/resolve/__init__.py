"""From tree to plan: names bound, types checked, outputs named and described."""
