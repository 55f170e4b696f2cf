"""What has to be set before scikit-learn is imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"
